# faceswap on NVIDIA GPUs. Build from the root of the checkout:
#   docker build -f docker/cuda.Dockerfile -t faceswap:cuda .
# The CUDA 13 libraries come with torch's wheels; the host brings the driver (580 or newer) and the NVIDIA container toolkit.
FROM python:3.11-slim-bookworm AS build

ARG TORCH_VERSION=2.13.0
ARG ORT_VERSION=1.31.1
ARG EXTRAS=[cuda]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /src
RUN python3 -m venv /opt/faceswap
# pip's default index has the build for CUDA 13.
RUN /opt/faceswap/bin/pip install "torch==${TORCH_VERSION}"
COPY pyproject.toml README.md LICENSE NOTICE THIRD_PARTY.md ./
COPY training/recipes training/recipes
COPY faceswap faceswap
# onnxruntime and onnxruntime-gpu write into the same folder: remove both, then put back the one for GPUs.
RUN /opt/faceswap/bin/pip install ".${EXTRAS}" "onnxruntime-gpu==${ORT_VERSION}" \
    && /opt/faceswap/bin/pip uninstall -y onnxruntime onnxruntime-gpu \
    && /opt/faceswap/bin/pip install --no-deps "onnxruntime-gpu==${ORT_VERSION}"

FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 faceswap \
    && install -d -o faceswap -g faceswap /data
COPY --from=build /opt/faceswap /opt/faceswap
COPY LICENSE NOTICE THIRD_PARTY.md /usr/share/doc/faceswap/

# "video" is what makes NVDEC and NVENC visible inside the container.
ENV PATH=/opt/faceswap/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
USER faceswap
WORKDIR /data
VOLUME /data
ENTRYPOINT ["faceswap"]
CMD ["--help"]
