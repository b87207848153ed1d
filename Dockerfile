# One image for everything: `penstock` (webhook and driver), `penstock-launcher` (in task Pods beside the user's container)
# and `penstock-entry` (mounted or copied into the user's container). No shell, no package manager.
#
#     docker build --target image -t REGISTRY/penstock:VERSION .
#
# The tests build the very same last stage from programs that are compiled already:
# `--build-context root=TREE` stands in for the first three.

FROM docker.io/library/node:24-bookworm-slim AS dashboard
WORKDIR /src/dashboard
COPY dashboard/package.json dashboard/package-lock.json ./
RUN npm ci
COPY dashboard ./
RUN npm run build

# The version of rust-toolchain.toml.
FROM docker.io/library/rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=dashboard /src/dashboard/dist dashboard/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    programs="$(tests/image/image compile release)" \
    && PENSTOCK_CACHE=/cache tests/image/image stage /tree "$programs"/*

FROM scratch AS root
COPY --from=build /tree/ /

FROM scratch AS image
COPY --from=root --chown=0:0 / /
# By number, so that `runAsNonRoot` can be checked. Any other works as well.
USER 65532:65532
ENTRYPOINT ["/usr/bin/penstock"]
