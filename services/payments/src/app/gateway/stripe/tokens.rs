//! The tokens by which the house names what is charged and where money goes: two of Stripe's ids, with a stroke between them.

/// What is charged: a payment method, with the customer that it is attached to. By the customer, charges are found again even
/// when the payment method is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instrument<'a> {
    pub customer: &'a str,
    pub method: &'a str,
}

/// Where money goes: a bank account or a card, with the connected account that it belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination<'a> {
    pub account: &'a str,
    pub external: &'a str,
}

impl<'a> Instrument<'a> {
    /// Reads `cus_…/pm_…`.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (customer, method) = token.split_once('/')?;
        (is_id(customer, &["cus_"]) && is_id(method, &["pm_", "card_", "src_"])).then_some(Self { customer, method })
    }
}

impl<'a> Destination<'a> {
    /// Reads `acct_…/ba_…` or `acct_…/card_…`.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (account, external) = token.split_once('/')?;
        (is_id(account, &["acct_"]) && is_id(external, &["ba_", "card_"])).then_some(Self { account, external })
    }
}

/// An id becomes a part of an address, so that it may hold nothing that means something there.
pub(super) fn is_id(text: &str, prefixes: &[&str]) -> bool {
    let rest = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    rest.is_some_and(|rest| {
        (1..=100).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_two_ids_and_nothing_else() {
        let instrument = Instrument::parse("cus_N1/pm_1Ab_c").expect("an instrument");
        assert_eq!((instrument.customer, instrument.method), ("cus_N1", "pm_1Ab_c"));
        let destination = Destination::parse("acct_1/ba_2").expect("a destination");
        assert_eq!((destination.account, destination.external), ("acct_1", "ba_2"));
        for bad in [
            "",
            "pm_1",
            "cus_1/",
            "cus_/pm_1",
            "cus_1/pm_1/x",
            "cus_1/../x",
            "cus_1/pm_1?x",
            "pm_1/cus_1",
            "acct_1/ba_1",
            " cus_1/pm_1",
        ] {
            assert_eq!(Instrument::parse(bad), None, "{bad}");
        }
        for bad in ["acct_1/po_1", "acct_1", "cus_1/pm_1", "acct_1/ba_%2e"] {
            assert_eq!(Destination::parse(bad), None, "{bad}");
        }
    }
}
