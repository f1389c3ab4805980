//! `/metrics` for Prometheus, on a port of its own.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, SdkMeterProvider};
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;

use super::TelemetryError;

/// Completes the meter provider; with an address, the metrics can be read there as long as the process lives.
pub(super) async fn with_prometheus(
    address: &str,
    builder: MeterProviderBuilder,
) -> Result<SdkMeterProvider, TelemetryError> {
    if address.is_empty() {
        return Ok(builder.build());
    }
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| TelemetryError::Metrics {
            address: address.to_owned(),
            source,
        })?;
    tokio::spawn(async move {
        let router = Router::new().route("/metrics", get(metrics)).with_state(registry);
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics are no longer offered");
        }
    });
    Ok(builder.with_reader(reader).build())
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
