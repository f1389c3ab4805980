//! An acceptance of an invitation that is under way.
//!
//! An invitation is accepted once, and the invitation service decides by whom; the person and the case live here.
//! Two databases cannot change in one transaction, so that what is begun is written down first, then the invitation
//! is accepted, then the rest is done. Whatever dies in between is taken up again with the same ids.

use std::{error::Error, fmt, str::FromStr, time::Duration};

use vouch_primitives::{InvitationId, PersonId, RequestId, Timestamp};

/// How long after its begin an acceptance is taken up again that has not come to its end.
pub const TAKEN_UP_AFTER: Duration = Duration::from_secs(60);

/// Everything that is needed to bring a begun acceptance to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The request that began it.
    pub request_id: RequestId,
    /// Which invitation.
    pub invitation_id: InvitationId,
    /// Who accepts: somebody registered, or the person who registers by it.
    pub person_id: PersonId,
    /// What proves that the person may.
    pub proof: Proof,
    /// The name of the agency that accepts, if the invitation is an agency's [B30].
    pub agency_name: Option<String>,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
}

/// What proves that a person may accept an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A new person has the token of the e-mail [B12], and perhaps evidence of a referral, which counts at sign-up [R23].
    Token(TokenHash, ReferralEvidence),
    /// A registered person has verified the invited address [B11].
    VerifiedEmail,
}

/// The SHA-256 of a token as it stands in a mailed link. Whoever knows it has had the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// What shows that somebody was referred, as far as they had it when they signed up [R2, R17, R23]. The referral programme
/// decides what it is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferralEvidence {
    /// The referral code that they typed.
    pub code: Option<ReferralCode>,
    /// Their last click on a referral link.
    pub link_cookie: Option<LinkCookieId>,
    /// The token of the referral invitation that they have accepted.
    pub invitation: Option<TokenHash>,
}

/// The id of a click on a referral link, as the link's cookie has it. It has the characters of an id only, so that no name
/// or address travels as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCookieId(String);

/// The text cannot be the id of a click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLinkCookieId;

/// A referral code as it was typed: evidence for the referral programme, which alone knows whether it is one [R2].
/// Its letters are capital, and it has the characters of a code only, so that no name or address travels as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralCode(String);

/// The text cannot be a referral code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidReferralCode;

impl ReferralCode {
    const LONGEST: usize = 32;

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReferralCode {
    type Err = InvalidReferralCode;

    fn from_str(typed: &str) -> Result<Self, InvalidReferralCode> {
        let typed = typed.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == ' ';
        if typed.is_empty() || typed.len() > Self::LONGEST || !typed.chars().all(fits) {
            return Err(InvalidReferralCode);
        }
        Ok(Self(typed.to_ascii_uppercase()))
    }
}

impl fmt::Display for InvalidReferralCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = ReferralCode::LONGEST;
        write!(f, "must be 1 to {longest} letters, digits, hyphens and spaces")
    }
}

impl Error for InvalidReferralCode {}

impl LinkCookieId {
    const LONGEST: usize = 100;

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkCookieId {
    type Err = InvalidLinkCookieId;

    fn from_str(text: &str) -> Result<Self, InvalidLinkCookieId> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || text.len() > Self::LONGEST || !text.chars().all(fits) {
            return Err(InvalidLinkCookieId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for InvalidLinkCookieId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = LinkCookieId::LONGEST;
        write!(f, "must be 1 to {longest} letters, digits, hyphens and underscores")
    }
}

impl Error for InvalidLinkCookieId {}

#[cfg(test)]
mod tests {
    use super::*;

    // R2, R23
    #[test]
    fn codes_are_taken_as_people_type_them() {
        for (typed, code) in [(" vch2-k7qx ", "VCH2-K7QX"), ("VCH2 K7QX", "VCH2 K7QX")] {
            assert_eq!(typed.parse::<ReferralCode>().map(|code| code.0), Ok(code.to_owned()));
        }
        let long = "A".repeat(33);
        for typed in ["", "  ", "ada@example.com", "ÄÖÜ", "A\nB", long.as_str()] {
            assert_eq!(typed.parse::<ReferralCode>(), Err(InvalidReferralCode), "{typed:?}");
        }
    }

    // R23
    #[test]
    fn ids_of_clicks_are_opaque() {
        for id in ["c", "a-Z_09", "A".repeat(100).as_str()] {
            assert_eq!(id.parse(), Ok(LinkCookieId(id.to_owned())));
        }
        for text in ["", "a b", "ada@example.com", "a.b", "\u{c4}", "A".repeat(101).as_str()] {
            assert_eq!(text.parse::<LinkCookieId>(), Err(InvalidLinkCookieId), "{text:?}");
        }
    }
}
