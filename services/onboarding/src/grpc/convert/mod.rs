//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod accounts;
mod cases;

use vouch_proto::Fields;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// Passes on a text that goes into mails, where nothing may end a line or turn the direction of what follows it.
fn mailable(fields: &mut Fields, field: &str, text: Option<String>) -> Option<String> {
    let hidden = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.as_ref().is_some_and(|text| text.contains(hidden)) {
        fields.refuse(
            field,
            "INVALID_FORMAT",
            "must not contain invisible characters that change its direction",
        );
        return None;
    }
    text
}
