# Claviger in a container. No test builds this file: it is small, and read with care when it changes.
#
#   docker build -t claviger .
#
# Settings come by CLAVIGER_* (docs/configuration.md), the root key as a mounted file: docs/operations.md.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p claviger

FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/claviger /usr/local/bin/claviger
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/claviger
USER 10001:10001
WORKDIR /var/lib/claviger
VOLUME /var/lib/claviger
ENV CLAVIGER_DATABASE_URL=sqlite:///var/lib/claviger/claviger.db \
    CLAVIGER_LISTEN=0.0.0.0:8080 \
    CLAVIGER_PROXY_LISTEN=0.0.0.0:8081 \
    CLAVIGER_LOG_FORMAT=json
EXPOSE 8080 8081
# The program ends orderly on SIGTERM and starts no other, so it may be process 1 itself.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["claviger", "health"]
ENTRYPOINT ["claviger"]
CMD ["serve"]
