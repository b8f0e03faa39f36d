# syntax=docker/dockerfile:1
# A worker. From the repository's root:
#   docker build -f deploy/docker/worker.Dockerfile -t weighbridge-worker .
FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake=3.25.* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# Without AWS, which a worker never calls: minutes and gigabytes less.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,id=weighbridge-worker \
    cargo build --release --locked \
    && mkdir -p /out \
    && strip --strip-unneeded -o /out/weighbridge target/release/weighbridge

FROM debian:12.12-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin weighbridge
COPY --from=build /out/weighbridge /usr/local/bin/weighbridge
USER 10001
EXPOSE 8080
# Drains on this.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; read -r line <&3; [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["/usr/local/bin/weighbridge", "worker", "--listen", "0.0.0.0:8080"]
