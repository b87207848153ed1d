//! What is due about the certificates: a function of the time and of what is stored.
//!
//! An authority is replaced without a gap: the new one is published beside the old (*introduced*), signs the leaf after
//! a settling time (*switched*), and after another one the old is forgotten (*dropped*). So at no time is a leaf served
//! that some API server does not trust yet, or no more.

use jiff::{SignedDuration, Timestamp};

use super::CertificateTimes;
use super::material::{Authority, Leaf, Validity};

/// What the Secret holds; what cannot be read is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stored {
    /// The authority that signs.
    pub(super) current: Option<Authority>,
    /// The one that is going to.
    pub(super) next: Option<Authority>,
    /// Certificate of the one that did.
    pub(super) previous: Option<(String, Validity)>,
    /// What is served.
    pub(super) leaf: Option<Leaf>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Keep,
    /// Everything is made anew.
    Create,
    /// The leaf is made anew.
    RenewLeaf,
    /// A new authority is made, to be published.
    IntroduceAuthority,
    /// The published authority signs a new leaf.
    SwitchAuthority,
    /// The old authority is forgotten.
    DropPrevious,
}

/// Decides. `names` are those that the leaf must be for; `is_next_published` tells whether the API server was seen to
/// know the next authority.
pub(super) fn plan(
    now: Timestamp,
    stored: &Stored,
    names: &[String],
    is_next_published: bool,
    times: &CertificateTimes,
) -> Step {
    let usable = |authority: &&Authority| authority.validity.holds(now);
    let next = stored.next.as_ref().filter(usable);
    let Some(current) = stored.current.as_ref().filter(usable) else {
        return if next.is_some() { Step::SwitchAuthority } else { Step::Create };
    };
    let leaf = stored.leaf.as_ref().filter(|leaf| {
        leaf.validity.holds(now) && leaf.issuer == current.name && names.iter().all(|name| leaf.names.contains(name))
    });
    let Some(leaf) = leaf else { return Step::RenewLeaf };
    let has_settled = |validity: &Validity| now >= validity.made(times) + settle(times);
    if let Some(next) = next {
        if is_next_published && has_settled(&next.validity) {
            return Step::SwitchAuthority;
        }
    } else if current.validity.is_in_last_third(now) {
        return Step::IntroduceAuthority;
    }
    if let Some((_, validity)) = &stored.previous
        && (has_settled(&leaf.validity) || !validity.holds(now))
    {
        return Step::DropPrevious;
    }
    // No leaf outlives its authority: then only a new authority helps.
    let is_renewable = leaf.validity.until < current.validity.until;
    if leaf.validity.is_in_last_third(now) && is_renewable { Step::RenewLeaf } else { Step::Keep }
}

fn settle(times: &CertificateTimes) -> SignedDuration {
    SignedDuration::try_from(times.settle).unwrap_or(SignedDuration::MAX)
}

impl Stored {
    /// Certificates that the API server must trust.
    pub(super) fn authorities(&self) -> Vec<&str> {
        let current = self.current.iter().chain(&self.next).map(|authority| authority.certificate.as_str());
        current.chain(self.previous.iter().map(|(certificate, _)| certificate.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::material::{Authority, take};
    use super::*;

    fn times() -> CertificateTimes {
        CertificateTimes {
            authority: Duration::from_secs(900),
            leaf: Duration::from_secs(90),
            settle: Duration::from_secs(10),
            backdate: Duration::from_secs(60),
            check: Duration::from_secs(1),
        }
    }

    fn names() -> Vec<String> {
        vec!["hook.ns.svc".to_owned()]
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("a time")
    }

    fn step(now: i64, stored: &Stored, is_published: bool) -> Step {
        plan(at(now), stored, &names(), is_published, &times())
    }

    /// Does what is due, until nothing is.
    fn settle_at(now: i64, stored: &mut Stored) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let due = step(now, stored, true);
            if due == Step::Keep {
                return steps;
            }
            steps.push(due);
            assert!(steps.len() < 10, "{steps:?}");
            *stored = take(due, stored, at(now), &names(), &times()).expect("takes the step");
        }
    }

    #[test]
    fn f20_a_life_of_certificates_has_no_gap() {
        let mut stored = Stored::default();
        assert_eq!(settle_at(0, &mut stored), [Step::Create]);
        let mut served = Vec::new();
        let mut steps = Vec::new();
        let mut trusted_before: Vec<String> = Vec::new();
        for now in 0..5000 {
            let took = settle_at(now, &mut stored);
            let leaf = stored.leaf.clone().expect("a leaf");
            assert!(leaf.validity.holds(at(now)), "expired at {now}");
            // Whoever learned of the authorities a moment ago trusts what is served now.
            let issuer = stored.current.as_ref().expect("an authority");
            assert_eq!(issuer.name, leaf.issuer);
            if now > 0 {
                assert!(trusted_before.contains(&issuer.certificate), "untrusted at {now}");
            }
            trusted_before = stored.authorities().into_iter().map(str::to_owned).collect();
            assert!(trusted_before.len() <= 3);
            served.push(leaf.certificate);
            steps.extend(took);
        }
        for wanted in [Step::RenewLeaf, Step::IntroduceAuthority, Step::SwitchAuthority, Step::DropPrevious] {
            assert!(steps.iter().filter(|step| **step == wanted).count() >= 4, "{wanted:?}");
        }
        assert!(!steps.contains(&Step::Create));
        served.dedup();
        assert!(served.len() > 40, "{}", served.len());
    }

    #[test]
    fn f20_an_authority_that_the_api_server_does_not_know_signs_nothing() {
        let mut stored = Stored::default();
        settle_at(0, &mut stored);
        let late = 650;
        stored = take(Step::RenewLeaf, &stored, at(late), &names(), &times()).expect("renews");
        assert_eq!(step(late, &stored, false), Step::IntroduceAuthority);
        stored = take(Step::IntroduceAuthority, &stored, at(late), &names(), &times()).expect("introduces");
        assert_eq!(step(late + 11, &stored, false), Step::Keep);
        assert_eq!(step(late + 9, &stored, true), Step::Keep);
        assert_eq!(step(late + 11, &stored, true), Step::SwitchAuthority);
    }

    #[test]
    fn f20_what_is_expired_foreign_or_for_other_names_is_replaced() {
        let mut stored = Stored::default();
        settle_at(0, &mut stored);
        assert_eq!(step(100, &stored, true), Step::RenewLeaf);
        assert_eq!(step(1000, &stored, true), Step::Create);
        let names = vec!["other.ns.svc".to_owned()];
        assert_eq!(plan(at(1), &stored, &names, true, &times()), Step::RenewLeaf);
        let foreign = Authority::generate(at(0), &times()).expect("generates");
        let moved = Stored { current: Some(foreign.clone()), ..stored.clone() };
        assert_eq!(step(1, &moved, true), Step::RenewLeaf);
        // An authority that expired while everybody slept, and its successor in place.
        let slept = Stored { current: None, next: Some(foreign), ..stored };
        assert_eq!(step(1, &slept, false), Step::SwitchAuthority);
    }
}
