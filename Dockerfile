# syntax=docker/dockerfile:1
FROM rust:1.95.0-slim-trixie AS build
WORKDIR /build
COPY . .
# Without the default features the program lacks `demo` and `seed`, which have no place in production. The caches outlive
# the layer: a change of our code builds our code alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --no-default-features --bin tollgate && cp target/release/tollgate /usr/local/bin/tollgate

FROM debian:13.2-slim
RUN useradd --system --uid 10001 --no-create-home tollgate && install --directory --owner=tollgate /data
COPY --from=build /usr/local/bin/tollgate /usr/local/bin/tollgate
USER tollgate
WORKDIR /data
VOLUME /data
ENV TOLLGATE_LISTEN=0.0.0.0:8080 \
    TOLLGATE_DATABASE_URL=sqlite:///data/tollgate.db
EXPOSE 8080
# No HEALTHCHECK: the image has no HTTP client. The orchestrator asks GET /healthz.
ENTRYPOINT ["tollgate"]
CMD ["serve"]
