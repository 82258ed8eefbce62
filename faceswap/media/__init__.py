"""Reading and writing clips: exact time, planes as decoded, every other stream copied. Only here is `av` imported."""
