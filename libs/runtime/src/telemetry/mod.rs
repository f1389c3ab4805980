//! Logs on stderr, and traces, metrics and logs to wherever the configuration sends them.
//!
//! Only `main` calls [`init`]; all other code writes to `tracing` and to OpenTelemetry's global meter, and works the
//! same when nothing was ever initialised. The SDK's own `OTEL_*` variables keep their meaning: `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_*`, `OTEL_METRIC_EXPORT_INTERVAL`, …;
//! `OTEL_SDK_DISABLED` and `OTEL_{TRACES,METRICS,LOGS}_EXPORTER=none`, which it leaves to us, are obeyed too.

pub(crate) mod call;
mod otlp;
pub(crate) mod rpc;
mod scrape;
pub(crate) mod trace;

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, TelemetryConfig};

/// What exporting itself logs and traces must not be exported: it would never come to rest.
const OWN_TRAFFIC: [&str; 6] = ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry"];

/// What libraries tell at `info` is of no interest to an operator; `telemetry.level` may name them again.
const QUIET: &str = "async_nats=warn,opentelemetry=warn,sea_orm_migration=warn";

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.level` is not a list of directives.
    #[error("telemetry.level is not a list of tracing directives")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// An OTLP exporter could not be built.
    #[error("the otlp exporter cannot be built")]
    Otlp(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The Prometheus exporter could not be built.
    #[error("the prometheus exporter cannot be built")]
    Prometheus(#[from] opentelemetry_sdk::error::OTelSdkError),
    /// `/metrics` could not be offered.
    #[error("cannot listen for metrics on {address}")]
    Metrics {
        /// `telemetry.metrics_listen`.
        address: String,
        /// The reason.
        source: std::io::Error,
    },
    /// Something else in the process has set a subscriber.
    #[error("logging was set up before")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps the exporters, to flush them at the end.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: Option<SdkLoggerProvider>,
}

/// Sets up logging, tracing and metrics of this process. Call it once, from `main`, inside the runtime.
///
/// # Errors
/// When an exporter cannot be built or `/metrics` cannot be offered; not when a collector is away.
pub async fn init(service: &str, version: &str, config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let resource = resource(service, version);
    let endpoint = otlp::Endpoint::find(&config.otlp_endpoint, |name| std::env::var(name).ok());
    let traces = endpoint.tracer_provider(resource.clone())?;
    let logs = endpoint.logger_provider(resource.clone())?;
    let metrics = scrape::with_prometheus(&config.metrics_listen, endpoint.meter_provider(resource)?).await?;

    let lines = lines(config.log_format).with_filter(EnvFilter::try_new(format!("{QUIET},{}", config.level))?);
    let spans = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer("vouch"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(own_traffic_off(LevelFilter::INFO));
    let exported = logs
        .as_ref()
        .map(|provider| OpenTelemetryTracingBridge::new(provider).with_filter(own_traffic_off(LevelFilter::INFO)));
    tracing_subscriber::registry()
        .with(lines)
        .with(spans)
        .with(exported)
        .try_init()?;
    // Without a reader the SDK calls each instrument that looks for itself a failure.
    if endpoint.takes_metrics() || !config.metrics_listen.is_empty() {
        opentelemetry::global::set_meter_provider(metrics.clone());
        tell_version(version);
    }
    Ok(Telemetry { traces, metrics, logs })
}

impl Telemetry {
    /// Sends what is still there, within `patience`; what a collector does not take in that time is lost.
    pub async fn shutdown(self, patience: Duration) {
        // The SDK blocks its thread until its own threads have exported.
        let flushing = tokio::task::spawn_blocking(move || {
            let traces = self.traces.shutdown_with_timeout(patience);
            let metrics = self.metrics.shutdown_with_timeout(patience);
            let logs = self.logs.map_or(Ok(()), |logs| logs.shutdown_with_timeout(patience));
            [traces, metrics, logs].into_iter().find_map(Result::err)
        });
        match tokio::time::timeout(patience, flushing).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(error))) => tracing::warn!(%error, "telemetry was not flushed"),
            Ok(Err(_)) | Err(_) => tracing::warn!("telemetry was not flushed in time"),
        }
    }
}

fn resource(service: &str, version: &str) -> Resource {
    let name = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| format!("vouch-{service}"));
    let version = KeyValue::new("service.version", version.to_owned());
    Resource::builder()
        .with_attribute(version)
        .with_service_name(name)
        .build()
}

/// A metric that is always 1, whose label tells which version runs.
fn tell_version(version: &str) {
    let label = [KeyValue::new("version", version.to_owned())];
    let _ = opentelemetry::global::meter("vouch")
        .u64_observable_gauge("vouch.build_info")
        .with_description("the version that runs")
        .with_callback(move |one| one.observe(1, &label))
        .build();
}

fn own_traffic_off(level: LevelFilter) -> Targets {
    OWN_TRAFFIC
        .iter()
        .fold(Targets::new().with_default(level), |targets, target| {
            targets.with_target(*target, LevelFilter::OFF)
        })
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    match format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .boxed(),
    }
}
