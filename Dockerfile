# A training image from a profile: docker build --build-arg PROFILE=cuda12 -t train .
#
# BASE_IMAGE needs a Python >= 3.10 with pip and venv. A GPU is not needed to build.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS envkit
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY profiles ./profiles
COPY envkit ./envkit
RUN python -m venv /opt/envkit && /opt/envkit/bin/pip install --no-cache-dir .

FROM ${BASE_IMAGE}
ARG PROFILE=cpu
ENV PATH=/opt/train/bin:/opt/envkit/bin:$PATH \
    VIRTUAL_ENV=/opt/train
RUN useradd --create-home --uid 1000 train \
    && install -d -o train -g train /opt/train-parent
COPY --from=envkit /opt/envkit /opt/envkit
USER train
WORKDIR /home/train
RUN envkit setup --profile "${PROFILE}" --venv /opt/train-parent/train
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["envkit", "doctor"]
CMD ["envkit", "doctor"]
