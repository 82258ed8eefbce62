# faceswap on the CPU. Build from the root of the checkout:
#   docker build -f docker/runtime.Dockerfile -t faceswap:cpu .
FROM python:3.11-slim-bookworm AS build

ARG TORCH_VERSION=2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /src
RUN python3 -m venv /opt/faceswap
# torch first and alone: this layer is the large one and changes least.
RUN /opt/faceswap/bin/pip install --index-url "${TORCH_INDEX}" "torch==${TORCH_VERSION}"
COPY pyproject.toml README.md LICENSE NOTICE THIRD_PARTY.md ./
COPY training/recipes training/recipes
COPY faceswap faceswap
RUN /opt/faceswap/bin/pip install ".${EXTRAS}"

FROM python:3.11-slim-bookworm

# OpenCV's wheel expects these two from the system; everything else is inside the wheels.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 faceswap \
    && install -d -o faceswap -g faceswap /data
COPY --from=build /opt/faceswap /opt/faceswap
COPY LICENSE NOTICE THIRD_PARTY.md /usr/share/doc/faceswap/

ENV PATH=/opt/faceswap/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1
USER faceswap
WORKDIR /data
VOLUME /data
ENTRYPOINT ["faceswap"]
CMD ["--help"]
