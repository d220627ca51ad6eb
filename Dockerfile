# Holdfast in a container: the server, its embedded store, and nothing to build with.
#
#   docker build -t holdfast .
#
# A server that others can reach refuses to start before there is an API key. This makes the first one, in the
# volume that the server will use, and prints it once:
#
#   docker run --rm -v holdfast:/data holdfast keys new --scope admin --data-dir /data
#   docker run -d --name holdfast -v holdfast:/data -p 8080:8080 --stop-timeout 30 holdfast
#
# Later ones are made beside the running server: docker exec holdfast holdfast keys new --scope reserve
#
# Settings are HOLDFAST_… variables: docs/configuration.md. With HOLDFAST_STORE_URL the volume stays unused.
# Keep /data on a local disk that honours fsync: what was acknowledged survives because it was written there.

FROM python:3.13-slim AS builder
WORKDIR /src
RUN python -m venv --without-pip /opt/holdfast
# First what seldom changes: the packages, each held against its hash, and what builds the wheel.
COPY locks/build.txt locks/image.txt locks/
RUN pip install --no-cache-dir --require-hashes --no-deps --requirement locks/build.txt \
 && pip --python /opt/holdfast/bin/python install --no-cache-dir --require-hashes --no-deps --requirement locks/image.txt
# All that the wheel is made of. A change in tests leaves this layer as it is; the API's pages have the examples.
COPY pyproject.toml README.md LICENSE ./
COPY docs/api docs/api
COPY server server
COPY adapters adapters
COPY lua lua
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/holdfast/bin/python install --no-cache-dir --no-deps /wheels/holdfast-*.whl

FROM python:3.13-slim
# jemalloc takes a part off the embedded store's time; the store is started with it where it is installed.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libjemalloc2 \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 holdfast \
 && useradd --system --uid 10001 --gid holdfast --home-dir /data --shell /usr/sbin/nologin holdfast \
 && install -d -o holdfast -g holdfast -m 0750 /data \
 && pip uninstall --yes --quiet --root-user-action=ignore pip
COPY --from=builder /opt/holdfast /opt/holdfast
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOLDFAST_DATA_DIR=/data
USER holdfast
WORKDIR /data
VOLUME /data
EXPOSE 8080
# The server drains on it: readiness off, answer what is in flight, close the store.
STOPSIGNAL SIGTERM
# The image has no curl. /readyz answers 503 while the store loads and while the server drains.
# Another port is set by HOLDFAST_PORT, so that this finds it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('HOLDFAST_PORT') or 8080}/readyz\", timeout=2)"]
ENTRYPOINT ["holdfast"]
CMD ["serve", "--host", "0.0.0.0", "--data-dir", "/data"]
