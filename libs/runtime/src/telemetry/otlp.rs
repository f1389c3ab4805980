//! Exporters to an OpenTelemetry collector, for each signal that somebody wants.

use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Where the signals go; `None` for a signal that goes nowhere. An empty text leaves the address to the SDK, which
/// reads it from the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoint {
    traces: Option<String>,
    metrics: Option<String>,
    logs: Option<String>,
}

impl Endpoint {
    /// Decides from the configuration and the standard environment variables.
    pub(super) fn find(configured: &str, env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let general = !configured.is_empty() || set("OTEL_EXPORTER_OTLP_ENDPOINT").is_some();
        let signal = |name: &str| {
            let wanted = set(&format!("OTEL_{name}_EXPORTER")).is_none_or(|exporter| exporter != "none");
            let known = general || set(&format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT")).is_some();
            (wanted && known).then(|| configured.to_owned())
        };
        Self {
            traces: signal("TRACES"),
            metrics: signal("METRICS"),
            logs: signal("LOGS"),
        }
    }

    /// Whether metrics are sent somewhere.
    pub(super) const fn takes_metrics(&self) -> bool {
        self.metrics.is_some()
    }

    /// Spans exist and carry their context on even when they are exported nowhere.
    pub(super) fn tracer_provider(&self, resource: Resource) -> Result<SdkTracerProvider, ExporterBuildError> {
        let builder = SdkTracerProvider::builder().with_resource(resource);
        let Some(address) = &self.traces else {
            return Ok(builder.build());
        };
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(address).build()?;
        Ok(builder.with_batch_exporter(exporter).build())
    }

    pub(super) fn meter_provider(&self, resource: Resource) -> Result<MeterProviderBuilder, ExporterBuildError> {
        let builder = SdkMeterProvider::builder().with_resource(resource);
        let Some(address) = &self.metrics else {
            return Ok(builder);
        };
        let exporter = MetricExporter::builder().with_tonic().with_endpoint(address).build()?;
        Ok(builder.with_periodic_exporter(exporter))
    }

    pub(super) fn logger_provider(&self, resource: Resource) -> Result<Option<SdkLoggerProvider>, ExporterBuildError> {
        let Some(address) = &self.logs else { return Ok(None) };
        let exporter = LogExporter::builder().with_tonic().with_endpoint(address).build()?;
        Ok(Some(
            SdkLoggerProvider::builder()
                .with_resource(resource)
                .with_batch_exporter(exporter)
                .build(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(configured: &str, env: &[(&str, &str)]) -> (bool, bool, bool) {
        let lookup = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let Endpoint { traces, metrics, logs } = Endpoint::find(configured, lookup);
        (traces.is_some(), metrics.is_some(), logs.is_some())
    }

    #[test]
    fn signals_are_exported_only_where_somebody_asked_for_it() {
        let none = (false, false, false);
        let all = (true, true, true);
        assert_eq!(find("", &[]), none);
        assert_eq!(find("http://collector:4317", &[]), all);
        assert_eq!(find("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")]), all);
        assert_eq!(find("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), none);
        assert_eq!(
            find("", &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4317")]),
            (true, false, false)
        );
        assert_eq!(
            find("http://c:4317", &[("OTEL_LOGS_EXPORTER", "none")]),
            (true, true, false)
        );
        assert_eq!(find("http://c:4317", &[("OTEL_SDK_DISABLED", "TRUE")]), none);
    }
}
