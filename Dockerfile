# toehold on Node alone:
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) -t toehold .
#   docker run --rm -v "$PWD:/work" toehold ask model.onnx photos
FROM node:22-bookworm-slim AS build
# What results and pages name as the commit that made them; there is no git and no history in here.
ARG COMMIT=
WORKDIR /toehold
COPY . .
# The packages are made as they are published, and installed as a user does.
RUN npm ci && TOEHOLD_COMMIT=$COMMIT npm run package -- /packages

FROM node:22-bookworm-slim
# The package, and the runtime of this image's platform; others are for other machines. Mounted, not copied: a layer would keep them all.
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    npm install --global --no-fund --no-audit /packages/toehold-[0-9]*.tgz \
      "/packages/toehold-runtime-linux-$(node -p process.arch)"-*.tgz
USER node
WORKDIR /work
ENTRYPOINT ["toehold"]
CMD ["--help"]
