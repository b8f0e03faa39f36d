# syntax=docker/dockerfile:1
# The functions, one image for the three: WEIGHBRIDGE_OPERATION says which. From the repository's root:
#   docker build -f deploy/docker/lambda.Dockerfile -t weighbridge-lambda .
# Only the program, for a zip (it is to be called bootstrap there):
#   docker build -f deploy/docker/lambda.Dockerfile --target program --output target/lambda .
FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake=3.25.* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# A package by itself, so that nothing of AWS's SDKs is built.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,id=weighbridge-lambda \
    cargo build --release --locked --package weighbridge-worker --features lambda \
        --bin weighbridge-lambda \
    && install -D target/release/weighbridge-lambda /out/bootstrap

FROM scratch AS program
COPY --from=build /out/bootstrap /bootstrap

FROM public.ecr.aws/lambda/provided:al2023
COPY --from=build /out/bootstrap /var/runtime/bootstrap
# Lambda runs it as a user of its own anyway.
USER 10001
# Lambda looks after its environments itself and never asks this.
HEALTHCHECK NONE
CMD ["bootstrap"]
