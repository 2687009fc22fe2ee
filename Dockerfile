# docker build --tag matinee .    then see docs/operations.md
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/matinee \
    && /opt/matinee/bin/pip install --no-cache-dir --constraint constraints.txt '.[postgres,otel]'

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/matinee matinee
COPY --from=build /opt/matinee /opt/matinee
ENV PATH=/opt/matinee/bin:$PATH \
    MATINEE_HOME=/var/lib/matinee \
    MATINEE_HOST=0.0.0.0 \
    MATINEE_LOG_FORMAT=json
USER matinee
WORKDIR /var/lib/matinee
VOLUME /var/lib/matinee
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=10s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["matinee"]
CMD ["serve"]
