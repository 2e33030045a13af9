# The server, or with --build-arg SET=training what trains for it. docs/howto/container.md says how to run it.
FROM python:3.11-slim AS build
ARG SET=server
WORKDIR /build
RUN python -m venv /opt/waypost
COPY locks/ locks/
RUN /opt/waypost/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes --no-deps -r locks/installer.txt \
 && /opt/waypost/bin/uv pip install --python /opt/waypost/bin/python --no-cache --require-hashes --compile-bytecode -r locks/$SET.txt
COPY pyproject.toml README.md LICENSE ./
COPY features/ features/
COPY models/ models/
COPY training/ training/
COPY insights/ insights/
COPY serving/ serving/
COPY waypost/ waypost/
RUN /opt/waypost/bin/uv pip install --python /opt/waypost/bin/python --no-cache --no-deps --no-build-isolation --compile-bytecode .

FROM python:3.11-slim
# LightGBM's own library asks for it.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 waypost \
 && install -d -o waypost -g waypost -m 0700 /srv/waypost/data /srv/waypost/mlruns
COPY --from=build /opt/waypost /opt/waypost
ENV PATH=/opt/waypost/bin:$PATH PYTHONUNBUFFERED=1
USER waypost
WORKDIR /srv/waypost
# The fold is compiled here, so that the first start takes seconds; another processor compiles it again by itself.
RUN python -c "from features.journey import JOURNEY; JOURNEY.compile()"
VOLUME ["/srv/waypost/data", "/srv/waypost/mlruns"]
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:3000/livez', timeout=4)"]
CMD ["waypost", "serve", "--host", "0.0.0.0"]
