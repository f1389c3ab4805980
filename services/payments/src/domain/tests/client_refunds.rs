//! A client gets its money back once, whatever is heard of it.

use vouch_primitives::{ChargeId, ClientId, Currency, Money, RefundId, Timestamp};

use crate::domain::{ClientRefund, ClientRefundError, ClientRefundState, Heard, Refusal};

const MINUTE: i64 = 60_000_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * MINUTE)
}

fn new() -> ClientRefund {
    let of = (ChargeId::new(), ClientId::new());
    ClientRefund::new(RefundId::new(), of, Money::new(100, Currency::USD), at(0))
}

fn paid() -> Heard {
    Heard::Succeeded {
        reference: "re_1".to_owned(),
    }
}

fn refused(reason: Refusal) -> ClientRefundState {
    ClientRefundState::Refused { reason }
}

#[test]
fn what_is_unknown_is_asked_for_and_what_was_not_carried_out_is_given_again() {
    let mut refund = new();
    assert!(refund.hear((1, 0), Heard::Unknown, at(0)));
    assert!(refund.asks);
    assert_eq!(refund.state, ClientRefundState::Pending { look_at: at(1) });
    assert!(!refund.hear((1, 0), Heard::Unknown, at(1)), "each try counts once");
    assert!(refund.hear((1, 1), Heard::NotCarriedOut, at(1)));
    assert!(!refund.asks);
    assert_eq!(refund.state, ClientRefundState::Pending { look_at: at(3) });
    assert!(refund.hear((1, 2), Heard::NotCarriedOut, at(24 * 60)));
    assert_eq!(
        refund.state,
        refused(Refusal::NotCarriedOut),
        "for a day it is given again"
    );
}

#[test]
fn what_has_succeeded_can_come_back_and_is_tried_again_as_another_order() {
    let mut refund = new();
    let first = refund.order_id();
    let not_refused = |state| Err(ClientRefundError::NotRefused { state });
    assert_eq!(refund.try_again(at(0)), not_refused("pending"));
    assert!(refund.hear((1, 0), paid(), at(0)));
    assert!(!refund.hear((1, 0), paid(), at(1)), "it has succeeded already");
    assert!(!refund.hear((1, 0), Heard::Unknown, at(1)));
    assert_eq!(refund.try_again(at(1)), not_refused("succeeded"));
    assert!(refund.hear((1, 0), Heard::Refused(Refusal::Declined), at(2)));
    assert_eq!(refund.state, refused(Refusal::Declined));
    assert!(!refund.hear((1, 0), paid(), at(3)), "old news");
    assert_eq!(refund.try_again(at(4)), Ok(()));
    assert_ne!(refund.order_id(), first);
    assert!(!refund.hear((1, 0), paid(), at(5)), "of the attempt before");
    assert!(refund.hear((2, 0), paid(), at(5)));
}
