# syntax=docker/dockerfile:1
# A balancer, with AWS in it. From the repository's root; needs 10 GB of memory:
#   docker build -f deploy/docker/balancer.Dockerfile -t weighbridge-balancer .
FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake=3.25.* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,id=weighbridge-aws \
    cargo build --release --locked --workspace --all-features \
    && mkdir -p /out/data \
    && strip --strip-unneeded -o /out/weighbridge target/release/weighbridge

FROM debian:12.12-slim
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/weighbridge --shell /usr/sbin/nologin weighbridge
# To know AWS by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/weighbridge /usr/local/bin/weighbridge
COPY --from=build --chown=10001:10001 /out/data /var/lib/weighbridge
USER 10001
WORKDIR /var/lib/weighbridge
VOLUME /var/lib/weighbridge
EXPOSE 8000 9090
# Drains on this.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9090; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; read -r line <&3; [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["/usr/local/bin/weighbridge"]
# Mount a configuration here.
CMD ["serve", "--config", "/etc/weighbridge/weighbridge.toml"]
