//! Evidence of a referral, gathered and judged when somebody signs up [R23]: the code that they typed, the invitations that
//! they have accepted, their clicks. All of it is kept, with what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vouch_primitives::{
    AccountId, AttributionId, PersonId, ReferralInvitationId, ReferralLinkId, ReferrerId, Timestamp, Uuid,
};
use vouch_storage::Txn;

use super::introduced::{self, Addresses, Met};
use crate::{
    domain::{
        AddressHash, Evidence, EvidenceSort, ReferralInvitation, ReferralKind, TokenHash, TypedCode, Verdict, Voucher,
        judge,
    },
    error::Error,
    store::{self, accounts::Account, referrers::Referrer, sign_ups::SignUp, touches::FormerTouch},
};

/// So many clicks of one person are looked at.
const CLICKS: u32 = 20;

/// Somebody who has signed up, with whoever vouched for them.
#[derive(Clone, Debug)]
pub(super) struct Winner {
    /// With which account.
    pub account: Account,
    /// Who vouched.
    pub referrer: Referrer,
    /// By which type of referral.
    pub kind: ReferralKind,
}

/// All that may speak for somebody when these accounts sign up.
struct Gathered {
    sign_ups: HashMap<AccountId, SignUp>,
    by_code: HashMap<TypedCode, (Referrer, Timestamp)>,
    invitations: BTreeMap<ReferralInvitationId, ReferralInvitation>,
    by_token: BTreeMap<TokenHash, ReferralInvitationId>,
    clicks: HashMap<AccountId, Vec<FormerTouch>>,
    kinds: HashMap<ReferralLinkId, ReferralKind>,
    referrers: HashMap<ReferrerId, Referrer>,
    addresses: Addresses,
    met: Vec<Met>,
}

/// Who vouched for those who have signed up with these accounts, as far as they are attributed to nobody; and which of them have
/// come by letters that introduce them to clients. Their people are locked; the evidence is stored, and accepted invitations are
/// theirs from now on. What was judged once is not judged again: what did not count at the sign-up never does, whatever is known
/// later.
pub(super) async fn winners(txn: &Txn, now: Timestamp, accounts: &[Account]) -> Result<(Vec<Winner>, Vec<Met>), Error> {
    let people: BTreeSet<PersonId> = accounts.iter().map(|account| account.person).collect();
    let mut attributed = store::ties::attributed(txn, &people).await?;
    let known = store::evidence::known(txn, &people).await?;
    let mut gathered = gather(txn, accounts, &people).await?;
    let mut in_order: Vec<&Account> = accounts.iter().collect();
    in_order.sort_by_key(|account| (account.registered_at, account.id));
    let (mut winners, mut judged) = (Vec::new(), Vec::new());
    for account in in_order {
        let mut evidence = gathered.of(account);
        evidence.retain(|it| !known.contains(&it.id));
        let verdicts = judge(account.person, account.registered_at, &evidence);
        let late = attributed.contains(&account.person);
        for (evidence, verdict) in evidence.into_iter().zip(verdicts) {
            let verdict = match verdict {
                Verdict::Won | Verdict::Outranked | Verdict::LaterOneWon if late => Verdict::TooLate,
                verdict => verdict,
            };
            let referrer = evidence
                .voucher
                .and_then(|voucher| gathered.referrers.get(&voucher.referrer));
            if let (Verdict::Won, Some(referrer)) = (verdict, referrer) {
                attributed.insert(account.person);
                winners.push(Winner {
                    account: account.clone(),
                    referrer: referrer.clone(),
                    kind: evidence.kind,
                });
            }
            judged.push((account.person, evidence, verdict));
        }
    }
    let rows: Vec<_> = judged
        .iter()
        .map(|(person, it, verdict)| (*person, it, *verdict))
        .collect();
    store::evidence::insert(txn, now, &rows).await?;
    let invitations: Vec<_> = gathered.invitations.into_values().collect();
    store::invitations::save(txn, &invitations).await?;
    Ok((winners, gathered.met))
}

async fn gather(txn: &Txn, accounts: &[Account], people: &BTreeSet<PersonId>) -> Result<Gathered, Error> {
    let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
    let sign_ups = store::sign_ups::of_accounts(txn, &ids).await?;
    let typed = accounts
        .iter()
        .filter_map(|account| account.typed_code.parse().ok())
        .collect();
    let by_code = store::referrers::of_typed(txn, &typed).await?;
    let tokens = sign_ups.iter().filter_map(|sign_up| sign_up.invitation).collect();
    let by_token = store::invitations::of_tokens(txn, &tokens).await?;
    let mut addresses = store::sign_ups::addresses(txn, people).await?;
    let emails = addresses.values().flatten().map(|known| known.email).collect();
    let mut invited = store::invitations::ids_to(txn, &emails).await?;
    invited.extend(by_token.values().copied());
    let invitations = store::invitations::lock(txn, &invited).await?;
    let clicks = store::touches::before_sign_up(txn, &ids, CLICKS).await?;
    let links = clicks.iter().filter_map(|click| click.touch.link).collect();
    let links = store::links::with_ids(txn, &links).await?;
    let named = invitations.iter().map(|it| it.referrer);
    let named = named.chain(clicks.iter().map(|click| click.touch.referrer)).collect();
    let found = store::referrers::with_ids(txn, &named).await?;
    let found = found
        .into_iter()
        .chain(by_code.values().map(|(referrer, _)| referrer.clone()));
    let referrers: HashMap<_, _> = found.map(|referrer| (referrer.id, referrer)).collect();
    let vouchers = referrers.values().map(|referrer| referrer.person).collect();
    addresses.extend(store::sign_ups::addresses(txn, &vouchers).await?);
    let mut of_account: HashMap<_, Vec<_>> = HashMap::new();
    for click in clicks {
        of_account.entry(click.account).or_default().push(click);
    }
    Ok(Gathered {
        sign_ups: sign_ups.into_iter().map(|sign_up| (sign_up.account, sign_up)).collect(),
        by_code,
        invitations: invitations.into_iter().map(|it| (it.id, it)).collect(),
        by_token,
        clicks: of_account,
        kinds: links.into_iter().map(|link| (link.id, link.kind)).collect(),
        referrers,
        addresses,
        met: Vec::new(),
    })
}

impl Gathered {
    /// All that speaks for somebody when this account signs up. Accepted invitations become theirs.
    fn of(&mut self, account: &Account) -> Vec<Evidence> {
        let mut all: Vec<Evidence> = self.code(account).into_iter().collect();
        all.extend(self.invitations(account));
        let clicks = self.clicks.get(&account.id).into_iter().flatten();
        all.extend(clicks.map(|FormerTouch { touch, .. }| {
            Evidence {
                id: derived(account, &format!("click {}", touch.id)),
                sort: EvidenceSort::Click,
                at: touch.clicked_at,
                voucher: self.voucher(touch.referrer, account),
                kind: touch
                    .link
                    .and_then(|link| self.kinds.get(&link).copied())
                    .unwrap_or(ReferralKind::Friend),
            }
        }));
        all
    }

    fn code(&self, account: &Account) -> Option<Evidence> {
        if account.typed_code.is_empty() {
            return None;
        }
        let typed = account.typed_code.parse::<TypedCode>().ok();
        let found = typed.as_ref().and_then(|code| self.by_code.get(code));
        // The news of a sign-up may be late: what became somebody's code after it was nobody's then.
        let referrer = found.filter(|(_, since)| *since <= account.registered_at);
        Some(Evidence {
            id: derived(account, "code"),
            sort: EvidenceSort::Code {
                well_formed: typed.is_some(),
            },
            at: account.registered_at,
            voucher: referrer.and_then(|(referrer, _)| self.voucher(referrer.id, account)),
            kind: ReferralKind::Friend,
        })
    }

    fn invitations(&mut self, account: &Account) -> Vec<Evidence> {
        let token = self.sign_ups.get(&account.id).and_then(|sign_up| sign_up.invitation);
        let by_token = token.and_then(|token| self.by_token.get(&token)).copied();
        let own: BTreeSet<AddressHash> = self.emails(account.person);
        let theirs: Vec<_> = self
            .invitations
            .values()
            .filter(|it| Some(it.id) == by_token || own.contains(&it.address))
            .map(|it| it.id)
            .collect();
        let mut all = Vec::new();
        for id in theirs {
            let Some(invitation) = self.invitations.get_mut(&id) else {
                continue;
            };
            let (has_token, before) = (Some(id) == by_token, invitation.person);
            let (invited, at) = invitation.sign_up(account.person, account.registered_at, has_token);
            let (referrer, kind) = (invitation.referrer, invitation.kind);
            let by = self.referrers.get(&referrer);
            if let Some(by) = by.filter(|by| !introduced::is_own(&self.addresses, by, account)) {
                let is_theirs_now = before.is_none() && invitation.person.is_some();
                let as_member = invitation.meet(account.person, account.registered_at);
                // A freelancer who is new is the referrer's referee, and needs no introduction.
                let as_new = (is_theirs_now && !kind.attributes()).then_some(account.registered_at);
                self.met.extend(as_member.or(as_new).map(|made| Met {
                    invitation: invitation.clone(),
                    referrer: by.clone(),
                    account: account.clone(),
                    made,
                    accepted: at,
                }));
            }
            // Whoever is introduced to a client is nobody's referee for that.
            if !kind.attributes() {
                continue;
            }
            all.push(Evidence {
                id: derived(account, &format!("invitation {id}")),
                sort: EvidenceSort::Invitation(invited),
                at,
                voucher: self.voucher(referrer, account),
                kind,
            });
        }
        all
    }

    fn emails(&self, person: PersonId) -> BTreeSet<AddressHash> {
        let known = self.addresses.get(&person).into_iter().flatten();
        known.map(|known| known.email).collect()
    }

    fn voucher(&self, referrer: ReferrerId, account: &Account) -> Option<Voucher> {
        let person = self.referrers.get(&referrer)?.person;
        Some(Voucher {
            referrer,
            person,
            same_mailbox: introduced::share_mailbox(&self.addresses, person, account.person),
        })
    }
}

fn derived(account: &Account, name: &str) -> Uuid {
    AttributionId::derived(account.person.as_uuid(), name).as_uuid()
}
