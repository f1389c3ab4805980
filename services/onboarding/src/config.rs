//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use serde::Deserialize;
use vouch_runtime::config::{Common, Links};

/// The defaults, and so the list of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// What the service needs to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What every service needs.
    #[serde(flatten)]
    pub common: Common,
    /// Links in e-mails.
    pub links: Links,
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut problems = self.common.validate();
        problems.extend(self.links.validate());
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vouch_runtime::config::Layers;

    fn problems(public_url: &str) -> Option<String> {
        let variable = ("VOUCH_ONBOARDING__LINKS__PUBLIC_URL".to_owned(), public_url.to_owned());
        let loaded = Layers::new("onboarding", DEFAULTS)
            .env([variable])
            .load(Config::validate);
        loaded.err().map(|errors| errors.to_string())
    }

    #[test]
    fn the_defaults_are_good_and_links_need_a_base() {
        for good in ["https://vouch.example", "http://127.0.0.1:8080/app/"] {
            assert_eq!(problems(good), None, "{good}");
        }
        for bad in [
            "",
            "vouch.example",
            "https://",
            "https:///x",
            "https://vouch.example/#x",
        ] {
            assert!(
                problems(bad).is_some_and(|text| text.contains("links.public_url")),
                "{bad}"
            );
        }
    }
}
