//! Words: those that somebody looks for, and those by which talent is found.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    Profile,
    section::{Contents, SectionKind},
};

/// How many words count; those after them do not.
const MOST_WORDS: usize = 10;
/// How long a word may be, in characters; what follows is cut off, of what is looked for as of what is there.
const LONGEST_WORD: usize = 40;

/// Words that all have to be there; the last may be the beginning of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextQuery {
    whole: Vec<Word>,
    last: Option<Word>,
}

/// A word, as the index holds it: lower-case letters and digits of ASCII stand for themselves, each other character for
/// its number between underscores. So every engine takes it for one word, and nothing in it can mean anything to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(String);

/// A skill as it is looked for: without case and accents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkillKey(String);

/// The words by which somebody can be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexedWords {
    /// Those of the headline and the skills.
    pub head: BTreeSet<Word>,
    /// All others: of the name and the other sections.
    pub rest: BTreeSet<Word>,
}

impl TextQuery {
    /// The words of a text that somebody typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut whole: Vec<Word> = Vec::new();
        let mut words = words(text).into_iter();
        let mut last = None;
        for word in words.by_ref().take(MOST_WORDS) {
            whole.extend(last.replace(word));
        }
        if words.next().is_some() {
            // More was typed than counts, so that none of these was the one still being typed.
            whole.extend(last.take());
        }
        Self { whole, last }
    }

    /// The words that have to be there as they are.
    #[must_use]
    pub fn whole(&self) -> &[Word] {
        &self.whole
    }

    /// The word that has to be there, or be the beginning of one.
    #[must_use]
    pub const fn last(&self) -> Option<&Word> {
        self.last.as_ref()
    }

    /// Whether anything fits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.last.is_none()
    }
}

impl Word {
    fn new(letters: &str) -> Self {
        let mut written = String::new();
        for c in letters.chars().take(LONGEST_WORD) {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                written.push(c);
            } else {
                // Writing to a text cannot fail.
                let _ = write!(written, "_{:x}_", u32::from(c));
            }
        }
        Self(written)
    }

    /// As the index holds it: nothing but lower-case letters, digits and underscores of ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SkillKey {
    /// The key of a skill of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(fold(name).split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its words, by which the index finds all that may have the skill.
    #[must_use]
    pub fn words(&self) -> TextQuery {
        TextQuery {
            whole: words(&self.0),
            last: None,
        }
    }
}

impl IndexedWords {
    /// The words of whoever has this name and shows this profile.
    #[must_use]
    pub fn of(name: &str, profile: &Profile) -> Self {
        let mut index = Self::default();
        index.rest.extend(words(name));
        for kind in SectionKind::ALL {
            match profile.shown(kind) {
                Some(Contents::Headline(headline)) => {
                    index.head.extend(words(&headline.title));
                    index.rest.extend(words(&headline.overview));
                }
                Some(Contents::Skills(skills)) => {
                    index.head.extend(skills.names().iter().flat_map(|name| words(name)));
                }
                Some(Contents::Experience(experience)) => {
                    let texts = experience.0.iter().flat_map(|held| [&held.company, &held.title]);
                    index.rest.extend(texts.flat_map(|text| words(text)));
                }
                Some(Contents::Portfolio(portfolio)) => {
                    let texts = portfolio.0.iter().flat_map(|item| [&item.title, &item.description]);
                    index.rest.extend(texts.flat_map(|text| words(text)));
                }
                Some(Contents::Rate(_)) | None => {}
            }
        }
        index
    }
}

/// The words of a text, in their order. A word is made of letters and digits, with the plus and number signs that follow
/// it where a word ends, as in C++ and C#.
fn words(text: &str) -> Vec<Word> {
    let text = fold(text);
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(char::is_alphanumeric) {
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (letters, after) = rest.split_at(end);
        let unmarked = after.trim_start_matches(['+', '#']);
        if unmarked.starts_with(char::is_alphanumeric) {
            found.push(Word::new(letters));
        } else {
            found.push(Word::new(&rest[..rest.len() - unmarked.len()]));
        }
        rest = unmarked;
    }
    found
}

/// Letters with accents, and what they are without: of Latin, Greek and Cyrillic script. Accents that are characters of
/// their own are left out in any script.
const FOLDS: [(&str, &str); 38] = [
    ("a", "àáâãäåāăąǎǟǡǻȁȃȧạảấầẩẫậắằẳẵặ"),
    ("ae", "æǣǽ"),
    ("b", "ḃ"),
    ("c", "çćĉċč"),
    ("d", "ðďđḋḍ"),
    ("e", "èéêëēĕėęěȅȇȩẹẻẽếềểễệ"),
    ("f", "ḟƒ"),
    ("g", "ĝğġģǧǵ"),
    ("h", "ĥħḥ"),
    ("i", "ìíîïĩīĭįıǐȉȋịỉ"),
    ("j", "ĵǰ"),
    ("k", "ķǩĸ"),
    ("l", "ĺļľŀłḷ"),
    ("m", "ṁṃ"),
    ("n", "ñńņňŋǹṅṇ"),
    ("o", "òóôõöøōŏőơǒǫǭȍȏȫȭȯȱǿọỏốồổỗộớờởỡợ"),
    ("oe", "œ"),
    ("p", "ṗ"),
    ("r", "ŕŗřȑȓṛ"),
    ("s", "śŝşšșṡṣſ"),
    ("ss", "ß"),
    ("t", "ţťŧțṫṭ"),
    ("th", "þ"),
    ("u", "ùúûüũūŭůűųưǔǖǘǚǜȕȗụủứừửữự"),
    ("w", "ŵẁẃẅ"),
    ("x", "ẋẍ"),
    ("y", "ýÿŷȳỳỵỷỹ"),
    ("z", "źżžẓ"),
    ("α", "ά"),
    ("ε", "έ"),
    ("η", "ή"),
    ("ι", "ίϊΐ"),
    ("ο", "ό"),
    ("σ", "ς"),
    ("υ", "ύϋΰ"),
    ("ω", "ώ"),
    ("е", "ёѐ"),
    ("и", "йѝ"),
];

/// A text without case and accents, so that what looks alike is found by either.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        let plain = FOLDS.iter().find(|(_, accented)| !c.is_ascii() && accented.contains(c));
        match (plain, c) {
            (Some((plain, _)), _) => folded.push_str(plain),
            (None, '\u{300}'..='\u{36f}') => {}
            (None, c) => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use vouch_primitives::AccountId;

    use super::*;
    use crate::domain::{ProfileKind, section};

    fn written(words: &[Word]) -> Vec<&str> {
        words.iter().map(Word::as_str).collect()
    }

    #[test]
    fn what_looks_alike_folds_to_the_same() {
        for (text, folded) in [
            ("Résumé", "resume"),
            ("Re\u{301}sume\u{301}", "resume"),
            ("GROẞE Straße", "grosse strasse"),
            ("İstanbul", "istanbul"),
            ("Łódź", "lodz"),
            ("Œuvre & Ærø", "oeuvre & aero"),
            ("ΌΣΟΣ όσος", "οσοσ οσοσ"),
            ("Ёжик и\u{306}", "ежик и"),
            ("Tiếng Việt", "tieng viet"),
            ("日本語", "日本語"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
        for (plain, accented) in FOLDS {
            for c in accented.chars() {
                assert_eq!(
                    c.to_lowercase().to_string(),
                    c.to_string(),
                    "{c} is looked up in lower case"
                );
                assert!(!plain.contains(c), "{c}");
            }
        }
    }

    #[test]
    fn texts_fall_into_words() {
        for (text, expected) in [
            ("", &[][..]),
            (" -- ;'\" * ", &[]),
            ("Logo-design, 3D", &["logo", "design", "3d"]),
            ("C++ and C#; F#/.NET", &["c_2b__2b_", "and", "c_23_", "f_23_", "net"]),
            ("React+Redux a++b #1", &["react", "redux", "a", "b", "1"]),
            (
                "node.js'); DROP TABLE person; --",
                &["node", "js", "drop", "table", "person"],
            ),
            ("a_b", &["a", "b"]),
            ("ёж", &["_435__436_"]),
        ] {
            assert_eq!(written(&words(text)), expected, "{text}");
        }
        assert_eq!(Word::new(&"x".repeat(50)).as_str(), "x".repeat(40));
    }

    // Whatever is typed, the engines get nothing but this.
    #[test]
    fn words_are_plain_for_every_engine() {
        let hostile = "NEAR(a b, 1) \"x\" OR head:y* ^z 'q':*A & !w | (u) <-> \\ \0 \u{202e} 𝔘𝔫𝔦 ١٢ ½ __ %";
        for word in words(hostile) {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(
                !word.as_str().is_empty() && word.as_str().chars().all(plain),
                "{word:?}"
            );
        }
    }

    #[test]
    fn the_last_word_may_be_a_beginning() {
        let query = TextQuery::new("Logo des");
        assert_eq!(
            (written(query.whole()), query.last().map(Word::as_str)),
            (vec!["logo"], Some("des"))
        );
        assert!(TextQuery::new(" ... ").is_empty());
        let eleven = TextQuery::new("a b c d e f g h i j k");
        assert_eq!((eleven.whole().len(), eleven.last()), (10, None));
        let ten = TextQuery::new("a b c d e f g h i j");
        assert_eq!((ten.whole().len(), ten.last().is_some()), (9, true));
    }

    #[test]
    fn the_words_of_the_headline_and_the_skills_come_first() {
        let mut profile = Profile::empty(AccountId::new(), ProfileKind::Agency);
        let headline = section::Headline {
            title: "Old maps".to_owned(),
            overview: "I draw".to_owned(),
        };
        profile.save(Contents::Headline(headline), true);
        profile.save(Contents::Skills(section::Skills::new(["Ink".to_owned()])), true);
        let half = section::Experience(vec![section::Position {
            company: "Harbour".to_owned(),
            ..section::Position::default()
        }]);
        profile.save(Contents::Experience(half), false);
        let index = IndexedWords::of("Ada", &profile);
        let written = |words: &BTreeSet<Word>| words.iter().map(|word| word.0.clone()).collect::<Vec<_>>();
        assert_eq!(written(&index.head), ["ink", "maps", "old"]);
        assert_eq!(
            written(&index.rest),
            ["ada", "draw", "i"],
            "what is not complete is not found"
        );
    }

    #[test]
    fn skills_are_alike_without_case_accents_and_spaces() {
        assert_eq!(SkillKey::new(" Résumé   Writing "), SkillKey::new("resume writing"));
        assert_ne!(SkillKey::new("C"), SkillKey::new("C++"));
    }
}
