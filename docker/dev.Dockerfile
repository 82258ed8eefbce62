# A shell with every check of this repository. Build from the root of the checkout, then mount the checkout over /src:
#   docker build -f docker/dev.Dockerfile -t faceswap:dev .
#   docker run --rm -it -v "$PWD:/src" faceswap:dev
FROM python:3.11-slim-bookworm

ARG TORCH_VERSION=2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

RUN apt-get update \
    && apt-get install -y --no-install-recommends git libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN python3 -m venv /opt/faceswap
# --group needs pip 25.1
RUN /opt/faceswap/bin/pip install "pip>=25.1"
RUN /opt/faceswap/bin/pip install --index-url "${TORCH_INDEX}" "torch==${TORCH_VERSION}"
COPY . .
RUN /opt/faceswap/bin/pip install --editable ".${EXTRAS}" --group dev
ENV PATH=/opt/faceswap/bin:$PATH ORT_DISABLE_TELEMETRY=1
CMD ["bash"]
