// Moves the border between input and result in each picture of the gallery.
for (const slider of document.querySelectorAll(".slider")) {
  const handle = slider.querySelector("input");
  const show = () => slider.style.setProperty("--at", handle.value + "%");
  handle.addEventListener("input", show);
  show();
}
