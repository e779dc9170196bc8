# A training image from a profile:  docker build --build-arg PROFILE=cpu -t train .
#
# docs/images.md has the arguments, and what a builder does again after which change.
ARG BASE_IMAGE=python:3.12-slim

# envkit: first what it needs, by an empty package of its name; then itself, for which nothing is fetched.
# PIP_*, here and below, may hold credentials: no layer of the stages that know them is in the image.
FROM ${BASE_IMAGE} AS envkit
RUN python3 -c 'import sys, ensurepip, venv, pip; sys.exit(sys.version_info < (3, 10))' || \
    { echo "envkit: BASE_IMAGE needs Python >= 3.10 with pip and venv, it has $(python3 --version 2>&1)" >&2; exit 1; }
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_TRUSTED_HOST
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
RUN mkdir envkit profiles && touch envkit/__init__.py && \
    python3 -m venv /opt/build && /opt/build/bin/pip install --quiet --no-cache-dir "hatchling>=1.26" && \
    python3 -m venv /opt/envkit && /opt/envkit/bin/pip install --quiet --no-cache-dir .
COPY profiles ./profiles
COPY envkit ./envkit
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir /opt/build/dist . && \
    /opt/envkit/bin/pip install --quiet --no-deps --no-index --force-reinstall /opt/build/dist/*.whl && \
    /opt/envkit/bin/pip uninstall --quiet --yes pip setuptools
ARG PROFILE=cpu
ARG OPTIONS=""
# Before gigabytes are fetched.
RUN accelerator=$(/opt/envkit/bin/envkit profiles show "${PROFILE}" | sed -n 's/^  accelerator: //p') || exit; \
    case "${accelerator} ${OPTIONS}" in none\ * | *--assume* | *--no-doctor*) ;; *) \
    echo "envkit: profile ${PROFILE} trains on ${accelerator}, which a builder does not have: say what the containers" \
        "will have, --build-arg OPTIONS=\"--assume driver=570,gpu=H100\"" >&2; exit 1;; esac

# The wheels of the profile's lock, which alone decides what this stage does: no other change fetches them again.
FROM ${BASE_IMAGE} AS wheels
COPY deploy/container/fetch.sh /opt/fetch.sh
ARG PROFILE=cpu
ARG VARIANT=""
COPY profiles/locks/${PROFILE} /opt/locks/${PROFILE}
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_TRUSTED_HOST
ARG TORCH_INDEX_URL
RUN sh /opt/fetch.sh "/opt/locks/${PROFILE}" "${VARIANT}" /opt/wheels

# The environment: built from the wheels, judged, and proved by training.
FROM wheels AS environment
ARG PROFILE=cpu
ARG VARIANT=""
ARG OPTIONS=""
COPY --from=envkit /opt/envkit /opt/envkit
RUN UV_NO_CACHE=1 /opt/envkit/bin/envkit setup --profile "${PROFILE}" --wheelhouse /opt/wheels --venv /home/train/venv \
        $(echo "${VARIANT}" | sed -E 's/-?(with|without)-/ --\1 /g') ${OPTIONS} && \
    mv /home/train/venv/envkit.json /opt/

FROM ${BASE_IMAGE}
# Ubuntu's images have a user 1000. Others than this one may read: docker run --user.
RUN useradd --create-home --uid 10001 --user-group train && chmod 755 /home/train
# The large layer holds what the lock says, nothing else: it stays the same, here and in registries, if envkit changes.
COPY --from=environment --chown=10001:10001 /home/train/venv /home/train/venv
COPY --from=envkit /opt/envkit /opt/envkit
COPY deploy/container/entrypoint.sh /opt/envkit/
COPY --from=environment --chown=10001:10001 /opt/envkit.json /home/train/venv/
# A number, because Kubernetes' runAsNonRoot cannot judge a name.
USER 10001
WORKDIR /home/train
ENV VIRTUAL_ENV=/home/train/venv
ENV PATH=${VIRTUAL_ENV}/bin:${PATH}:/opt/envkit/bin
RUN envkit doctor --phase build
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["envkit", "doctor", "--phase", "run"]
# Judges what has waited for the machine, then becomes the command; without one the verdict is all there is.
ENTRYPOINT ["sh", "/opt/envkit/entrypoint.sh"]
CMD []
