# Build: docker build -t stint .
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
ENV SQLX_OFFLINE=true
RUN cargo build --release --locked

FROM debian:bookworm-slim
# TLS to Microsoft and the ticket systems is checked against the system's certificates.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/stint /usr/local/bin/stint
COPY --from=build /src/config/stint.toml /src/config/catalog.toml /etc/stint/
USER 65532:65532
WORKDIR /etc/stint
# Inside a container the loopback addresses of the shipped file would be reachable by nobody.
ENV STINT__SERVER__LISTEN=0.0.0.0:8080 STINT__SERVER__OPS_LISTEN=0.0.0.0:9090
EXPOSE 8080 9090
ENTRYPOINT ["stint"]
CMD ["serve", "--config", "/etc/stint/stint.toml"]
