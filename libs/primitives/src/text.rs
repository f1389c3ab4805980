//! What has no place in a text, because it pretends to be something else.

/// Whether a character that nobody sees ends the line, or turns the direction of what follows it. Control characters
/// are another matter: they are easy to tell.
#[must_use]
pub const fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
