//! Merging the layers and finding every mistake in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{ConfigErrors, Loaded, Origin, Problem, Setting, render};

/// The sources of one service's configuration, in ascending precedence.
#[derive(Debug)]
pub struct Layers<'a> {
    service: &'a str,
    defaults: &'a str,
    file: Option<PathBuf>,
    env: BTreeMap<String, String>,
}

impl<'a> Layers<'a> {
    /// Starts from the embedded defaults, a TOML document that names every key the service knows.
    pub fn new(service: &'a str, defaults: &'a str) -> Self {
        Self {
            service,
            defaults,
            file: None,
            env: BTreeMap::new(),
        }
    }

    /// Adds the operator's file, if there is one.
    pub fn file(mut self, path: Option<&Path>) -> Self {
        self.file = path.map(Path::to_owned);
        self
    }

    /// Adds environment variables; those without the service's prefix are ignored.
    pub fn env(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let prefix = self.prefix();
        self.env = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(&prefix))
            .collect();
        self
    }

    /// Merges, parses and validates.
    ///
    /// `validate` tells what serde cannot see, as `key: reason` lines; it runs only on a configuration that parses.
    ///
    /// # Errors
    /// All mistakes of all layers.
    pub fn load<C: DeserializeOwned>(
        self,
        validate: impl FnOnce(&C) -> Vec<String>,
    ) -> Result<Loaded<C>, ConfigErrors> {
        let mut merge = Merge::default();
        match self.defaults.parse::<Table>() {
            Ok(table) => merge.defaults(table),
            Err(error) => merge.problem("", &Origin::Default, error.to_string()),
        }
        if let Some(path) = &self.file {
            merge.file(path);
        }
        let prefix = self.prefix();
        for (name, text) in &self.env {
            merge.variable(name, &name[prefix.len()..], text);
        }
        let parsed = merge.parse::<C>();
        if let Some(config) = &parsed {
            for line in validate(config) {
                let (key, reason) = line.split_once(": ").unwrap_or(("", &line));
                let origin = merge
                    .values
                    .get(key)
                    .map_or(Origin::Default, |setting| setting.origin.clone());
                merge.problem(key, &origin, reason.to_owned());
            }
        }
        match parsed {
            Some(config) if merge.problems.is_empty() => Ok(Loaded {
                config,
                values: merge.values,
            }),
            _ => Err(ConfigErrors(merge.problems)),
        }
    }

    fn prefix(&self) -> String {
        format!("VOUCH_{}__", self.service.to_uppercase())
    }
}

#[derive(Default)]
struct Merge {
    /// Defaults alone, to find the one override that serde refuses.
    base: BTreeMap<String, Setting>,
    values: BTreeMap<String, Setting>,
    problems: Vec<Problem>,
}

impl Merge {
    fn problem(&mut self, key: &str, origin: &Origin, reason: String) {
        self.problems.push(Problem {
            key: key.to_owned(),
            origin: origin.clone(),
            reason,
        });
    }

    fn defaults(&mut self, table: Table) {
        for (key, value) in flatten("", table) {
            self.values.insert(
                key,
                Setting {
                    value,
                    origin: Origin::Default,
                },
            );
        }
        self.base = self.values.clone();
    }

    fn file(&mut self, path: &Path) {
        let origin = Origin::File(path.to_owned());
        let table = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|text| text.parse::<Table>().map_err(|error| error.message().to_owned()));
        match table {
            Ok(table) => flatten("", table)
                .into_iter()
                .for_each(|(key, value)| self.set(&key, value, &origin)),
            Err(reason) => self.problem("", &origin, reason),
        }
    }

    fn variable(&mut self, name: &str, rest: &str, text: &str) {
        let origin = Origin::Env(name.to_owned());
        let key = rest.to_lowercase().replace("__", ".");
        let (key, text) = match key.strip_suffix("_file") {
            Some(base) if self.values.contains_key(base) && !self.values.contains_key(&key) => {
                match std::fs::read_to_string(text) {
                    Ok(content) => (base.to_owned(), content.trim_end().to_owned()),
                    Err(error) => return self.problem(base, &origin, format!("cannot read {text}: {error}")),
                }
            }
            _ => (key, text.to_owned()),
        };
        match self.values.get(&key).map(|setting| setting.value.clone()) {
            None => self.problem(&key, &origin, "unknown key".to_owned()),
            Some(default) => match from_text(&default, &text) {
                Some(value) => self.set(&key, value, &origin),
                None => self.problem(&key, &origin, format!("expected {}", kind(&default))),
            },
        }
    }

    fn set(&mut self, key: &str, value: Value, origin: &Origin) {
        let problem = match self.values.get_mut(key) {
            None => Some("unknown key".to_owned()),
            Some(known) if !known.value.same_type(&value) => {
                Some(format!("expected {}, found {}", kind(&known.value), kind(&value)))
            }
            // Two variables (`KEY` and `KEY_FILE`) have no order among themselves.
            Some(Setting {
                origin: Origin::Env(other),
                ..
            }) if matches!(origin, Origin::Env(_)) => Some(format!("already given by {other}")),
            Some(known) => {
                *known = Setting {
                    value,
                    origin: origin.clone(),
                };
                None
            }
        };
        if let Some(reason) = problem {
            self.problem(key, origin, reason);
        }
    }

    /// Serde stops at its first error; so when the whole does not parse, each override is tried alone on the defaults.
    fn parse<C: DeserializeOwned>(&mut self) -> Option<C> {
        let whole = match C::deserialize(nest(&self.values)) {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        let mut found = Vec::new();
        for (key, setting) in self
            .values
            .iter()
            .filter(|(_, setting)| setting.origin != Origin::Default)
        {
            let mut alone = self.base.clone();
            alone.insert(key.clone(), setting.clone());
            if let Err(error) = C::deserialize(nest(&alone)) {
                let told = if render::is_secret(key) {
                    "not acceptable".to_owned()
                } else {
                    error.message().to_owned()
                };
                found.push((key.clone(), setting.origin.clone(), told));
            }
        }
        if found.is_empty() {
            found.push((String::new(), Origin::Default, whole.message().to_owned()));
        }
        found
            .into_iter()
            .for_each(|(key, origin, reason)| self.problem(&key, &origin, reason));
        None
    }
}

/// Dotted leaf keys. An array is a leaf; an empty section has none.
fn flatten(prefix: &str, table: Table) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) => leaves.extend(flatten(&key, inner)),
            leaf => leaves.push((key, leaf)),
        }
    }
    leaves
}

fn nest(values: &BTreeMap<String, Setting>) -> Value {
    let mut root = Table::new();
    for (key, setting) in values {
        let mut names: Vec<&str> = key.split('.').collect();
        let leaf = names.pop().unwrap_or_default();
        let mut table = &mut root;
        for name in names {
            let section = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
            // A key is either a section or a value in the defaults, and only their keys get here.
            let Value::Table(inner) = section else {
                return Value::Table(root);
            };
            table = inner;
        }
        table.insert(leaf.to_owned(), setting.value.clone());
    }
    Value::Table(root)
}

/// Reads a variable's text as the type that the default has.
fn from_text(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        _ => format!("value = {text}")
            .parse::<Table>()
            .ok()?
            .remove("value")
            .filter(|value| value.same_type(default)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a decimal number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date and time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}
