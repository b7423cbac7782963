"""Operations: health, readiness, metrics and the OpenAPI document."""
