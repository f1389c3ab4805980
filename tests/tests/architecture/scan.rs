//! A source file as the rules see it: the names that it mentions, its words, and the length of its functions.
//!
//! Tokens are enough for this and, unlike a syntax tree, show what stands inside macros and attributes too.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path as it is written, e.g. `tokio::spawn` or each leaf of a `use`.
pub struct Name {
    /// Without `crate`, and with `self` and `super` resolved, if the path is inside this crate.
    pub segments: Vec<String>,
    pub inside: bool,
    pub line: usize,
    pub in_test: bool,
}

/// A single identifier or keyword.
pub struct Word {
    pub text: String,
    pub line: usize,
    /// `.word`
    pub after_dot: bool,
    /// `word(…)` or `word::<…>(…)`
    pub called: bool,
    pub in_test: bool,
}

/// A function with a body; of all kinds, in macros too.
pub struct Function {
    pub name: String,
    pub line: usize,
    /// From `fn` to the closing brace.
    pub lines: usize,
}

/// One file.
pub struct Source {
    /// Relative to the workspace: `services/payments/src/domain/ledger.rs`.
    pub file: String,
    pub lines: usize,
    pub names: Vec<Name>,
    pub words: Vec<Word>,
    pub functions: Vec<Function>,
    /// Names that `use` and `mod` bring into this file, which hide a crate of the same name.
    local: BTreeSet<String>,
}

impl Source {
    /// # Panics
    /// When the text is no Rust.
    pub fn scan(file: String, text: &str) -> Source {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let place = Place {
            module: module_of(&file),
            in_test: is_test_file(&file),
            ..Place::default()
        };
        let lines = text.lines().count();
        let mut source = Source {
            file,
            lines,
            names: vec![],
            words: vec![],
            functions: vec![],
            local: BTreeSet::new(),
        };
        source.walk(tokens, &place);
        source
    }

    /// The module of the crate that this file is or belongs to: `domain`, `grpc`, …; empty for `lib.rs` and `main.rs`.
    pub fn layer(&self) -> String {
        module_of(&self.file).into_iter().next().unwrap_or_default()
    }

    /// Whether a name's first part is a crate, and not something of this file that happens to be called like one.
    pub fn is_external(&self, name: &Name) -> bool {
        !name.inside && !self.local.contains(&name.segments[0])
    }

    fn walk(&mut self, tokens: TokenStream, place: &Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut place = place.clone();
        let (in_use, in_test) = (place.in_use, place.in_test);
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            match token {
                TokenTree::Group(group) => {
                    place.in_test |= is_cfg_test(group);
                    let mut inner = Place {
                        prefix: vec![],
                        in_use: false,
                        ..place.clone()
                    };
                    inner.module.extend(inner.entering.take());
                    self.walk(group.stream(), &inner);
                    if group.delimiter() == Delimiter::Brace {
                        (place.in_use, place.in_test, place.entering) = (in_use, in_test, None);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => (place.in_use, place.in_test) = (in_use, in_test),
                TokenTree::Ident(_) => {
                    index = self.ident(&tokens, index, &mut place);
                    continue;
                }
                _ => {}
            }
            index += 1;
        }
    }

    /// Handles the identifier at `index`, and says where to go on.
    fn ident(&mut self, tokens: &[TokenTree], index: usize, place: &mut Place) -> usize {
        let text = ident_at(tokens, index).unwrap_or_default();
        match text.as_str() {
            // `use<'a>` in a return type only names lifetimes.
            "use" => place.in_use = !is_punct(tokens, index + 1, '<'),
            "as" if place.in_use => {
                self.local.extend(ident_at(tokens, index + 1));
                return index + 2;
            }
            "fn" => self.function(tokens, index),
            "mod" => return self.module(tokens, index, place),
            _ => return self.path(tokens, index, place),
        }
        index + 1
    }

    fn function(&mut self, tokens: &[TokenTree], index: usize) {
        let Some(name) = ident_at(tokens, index + 1) else {
            return;
        };
        let line = tokens[index].span().start().line;
        for token in &tokens[index..] {
            match token {
                TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                    let lines = body.span_close().end().line - line + 1;
                    return self.functions.push(Function { name, line, lines });
                }
                TokenTree::Punct(end) if end.as_char() == ';' => return,
                _ => {}
            }
        }
    }

    fn module(&mut self, tokens: &[TokenTree], index: usize, place: &mut Place) -> usize {
        let Some(name) = ident_at(tokens, index + 1) else {
            return index + 1;
        };
        self.local.insert(name.clone());
        if let Some(TokenTree::Group(_)) = tokens.get(index + 2) {
            place.entering = Some(name);
        }
        index + 2
    }

    fn path(&mut self, tokens: &[TokenTree], start: usize, place: &Place) -> usize {
        let mut segments = place.prefix.clone();
        let mut index = start;
        while let Some(text) = ident_at(tokens, index) {
            self.words.push(Word {
                line: tokens[index].span().start().line,
                after_dot: index > 0 && is_punct(tokens, index - 1, '.'),
                called: is_called(tokens, index + 1),
                in_test: place.in_test,
                text: text.clone(),
            });
            segments.push(text);
            index += 1;
            if !is_path_separator(tokens, index) {
                break;
            }
            index += 2;
        }
        let line = tokens[start].span().start().line;
        if let (true, Some(TokenTree::Group(group))) = (place.in_use, tokens.get(index)) {
            self.walk(
                group.stream(),
                &Place {
                    prefix: segments,
                    ..place.clone()
                },
            );
            return index + 1;
        }
        if place.in_use {
            self.local
                .extend(segments.iter().skip(1).rfind(|segment| *segment != "self").cloned());
        }
        if segments.len() > 1 || place.in_use {
            let (segments, inside) = resolve(&place.module, segments);
            self.names.push(Name {
                segments,
                inside,
                line,
                in_test: place.in_test,
            });
        }
        index
    }
}

/// Where in a file the scan is.
#[derive(Clone, Default)]
struct Place {
    module: Vec<String>,
    in_test: bool,
    in_use: bool,
    /// The inline module whose braces come next.
    entering: Option<String>,
    /// What stands before the braces of a `use`.
    prefix: Vec<String>,
}

fn resolve(module: &[String], mut segments: Vec<String>) -> (Vec<String>, bool) {
    let mut base = match segments[0].as_str() {
        "crate" => vec![],
        "self" | "super" => module.to_vec(),
        _ => return (segments, false),
    };
    while segments
        .first()
        .is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str()))
    {
        if segments.remove(0) == "super" {
            base.pop();
        }
    }
    base.extend(segments);
    (base, true)
}

/// `services/payments/src/domain/ledger.rs` is the module `domain::ledger`.
fn module_of(file: &str) -> Vec<String> {
    let Some((_, inside)) = file.rsplit_once("/src/") else {
        return vec![];
    };
    let parts = inside.trim_end_matches(".rs").split('/').map(str::to_owned);
    parts
        .filter(|part| !["lib", "main", "mod"].contains(&part.as_str()))
        .collect()
}

fn is_test_file(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.ends_with("_tests.rs") || file.contains("/tests/")
}

fn is_cfg_test(group: &Group) -> bool {
    let text = group.stream().to_string().replace(' ', "");
    group.delimiter() == Delimiter::Bracket && (text == "cfg(test)" || text.starts_with("cfg(all(test,"))
}

fn ident_at(tokens: &[TokenTree], index: usize) -> Option<String> {
    match tokens.get(index) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(tokens: &[TokenTree], index: usize, wanted: char) -> bool {
    matches!(tokens.get(index), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_path_separator(tokens: &[TokenTree], index: usize) -> bool {
    is_punct(tokens, index, ':') && is_punct(tokens, index + 1, ':')
}

fn is_called(tokens: &[TokenTree], index: usize) -> bool {
    is_path_separator(tokens, index) && is_punct(tokens, index + 2, '<')
        || matches!(tokens.get(index), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}
