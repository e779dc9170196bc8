# A training image from a profile:  docker build --build-arg PROFILE=cpu -t train .
#
# BASE_IMAGE needs Python >= 3.10 with pip and venv. A builder has no GPU: for a profile that wants one, say which the
# containers will have:  --build-arg PROFILE=cuda12 --build-arg OPTIONS="--assume driver=570,gpu=H100"
# In an image made FROM this one, `uv pip install` adds to the environment.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS envkit
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY profiles ./profiles
COPY envkit ./envkit
RUN python3 -m venv /opt/envkit && /opt/envkit/bin/pip install --no-cache-dir .

FROM ${BASE_IMAGE}
ARG PROFILE=cpu
ARG OPTIONS=""
# Ubuntu's images have a user 1000. Others than this one may read: docker run --user.
RUN useradd --create-home --uid 10001 train && chmod 755 /home/train
COPY --from=envkit /opt/envkit /opt/envkit
# A number, because Kubernetes' runAsNonRoot cannot judge a name.
USER 10001
WORKDIR /home/train
ENV VIRTUAL_ENV=/home/train/venv
ENV PATH=${VIRTUAL_ENV}/bin:${PATH}:/opt/envkit/bin
RUN UV_NO_CACHE=1 envkit setup --profile "${PROFILE}" --venv "${VIRTUAL_ENV}" ${OPTIONS}
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["envkit", "doctor"]
CMD ["envkit", "doctor"]
