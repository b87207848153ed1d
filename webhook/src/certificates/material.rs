//! Certificates and keys: made, read, and what is known of them. Keys are in no text that is printed.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use penstock_runtime::tls;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, X509Certificate};

use super::CertificateTimes;
use super::plan::{Step, Stored};

/// Beginning of the common name of our authorities; digits of chance follow, so that each has a name of its own.
const AUTHORITY_NAME: &str = "penstock-webhook-ca ";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaterialError {
    /// It could not be made.
    #[error("cannot make a certificate")]
    Generate(#[from] rcgen::Error),
    /// A time is outside of what certificates can say.
    #[error("a certificate cannot say the time {0}")]
    Time(Timestamp),
    /// It cannot be read.
    #[error("cannot read a certificate: {0}")]
    Read(&'static str),
    /// What is to be changed is not there.
    #[error("there is no authority to sign with")]
    NoAuthority,
}

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// When it was made.
    pub(super) fn made(&self, times: &CertificateTimes) -> Timestamp {
        shifted(self.from, duration(times.backdate))
    }

    pub(super) fn is_in_last_third(&self, now: Timestamp) -> bool {
        let left = now.duration_until(self.until);
        left.saturating_mul(3) <= self.from.duration_until(self.until)
    }
}

/// An authority.
#[derive(Clone, PartialEq)]
pub(super) struct Authority {
    /// PEM.
    pub(super) certificate: String,
    /// PEM.
    pub(super) key: String,
    /// Its common name.
    pub(super) name: String,
    pub(super) validity: Validity,
}

/// What is served.
#[derive(Clone, PartialEq)]
pub(super) struct Leaf {
    /// PEM.
    pub(super) certificate: String,
    /// PEM.
    pub(super) key: String,
    /// Common name of the authority that signed it.
    pub(super) issuer: String,
    /// Names of hosts.
    pub(super) names: Vec<String>,
    pub(super) validity: Validity,
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Authority { certificate: _, key: _, name, validity } = self;
        formatter.debug_struct("Authority").field("name", name).field("validity", validity).finish_non_exhaustive()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leaf { certificate: _, key: _, issuer, names, validity } = self;
        let mut shown = formatter.debug_struct("Leaf");
        shown.field("issuer", issuer).field("names", names).field("validity", validity).finish_non_exhaustive()
    }
}

impl Authority {
    pub(super) fn generate(now: Timestamp, times: &CertificateTimes) -> Result<Authority, MaterialError> {
        let key = KeyPair::generate()?;
        let name = format!("{AUTHORITY_NAME}{:016x}", rand::random::<u64>());
        let validity = validity(now, times, times.authority, None);
        let params = authority_params(&name, validity)?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Authority { certificate, key: key.serialize_pem(), name, validity })
    }

    /// Reads an authority with its key.
    pub(super) fn read(certificate: &str, key: &str) -> Result<Authority, MaterialError> {
        let facts = Facts::read(certificate)?;
        usable(certificate, key)?;
        Ok(Authority {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            name: facts.name,
            validity: facts.validity,
        })
    }

    fn sign(&self, now: Timestamp, names: &[String], times: &CertificateTimes) -> Result<Leaf, MaterialError> {
        let issuer_params = authority_params(&self.name, self.validity)?;
        let issuer = Issuer::from_params(&issuer_params, KeyPair::from_pem(&self.key)?);
        let validity = validity(now, times, times.leaf, Some(self.validity.until));
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = distinguished(names.first().map_or("penstock-webhook", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_life(&mut params, validity)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?.pem();
        let (issuer, names) = (self.name.clone(), names.to_vec());
        Ok(Leaf { certificate, key: key.serialize_pem(), issuer, names, validity })
    }
}

impl Leaf {
    /// Reads a leaf with its key.
    pub(super) fn read(certificate: &str, key: &str) -> Result<Leaf, MaterialError> {
        let facts = Facts::read(certificate)?;
        usable(certificate, key)?;
        Ok(Leaf {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            issuer: facts.issuer,
            names: facts.names,
            validity: facts.validity,
        })
    }
}

/// What a certificate says.
pub(super) struct Facts {
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) names: Vec<String>,
    pub(super) validity: Validity,
}

impl Facts {
    /// Reads the first certificate of a text.
    pub(super) fn read(pem: &str) -> Result<Facts, MaterialError> {
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| MaterialError::Read("it is no PEM"))?;
        let certificate = pem.parse_x509().map_err(|_| MaterialError::Read("it is no X.509 certificate"))?;
        let common = |name: &x509_parser::x509::X509Name<'_>| {
            name.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
        };
        let time = |time: ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|_| MaterialError::Read("its times are out of range"))
        };
        let validity = certificate.validity();
        Ok(Facts {
            name: common(certificate.subject()),
            issuer: common(certificate.issuer()),
            names: host_names(&certificate),
            validity: Validity { from: time(validity.not_before)?, until: time(validity.not_after)? },
        })
    }

    /// Whether it is an authority of ours, of any time.
    pub(super) fn is_our_authority(&self) -> bool {
        self.name.starts_with(AUTHORITY_NAME) && self.issuer == self.name
    }
}

fn host_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

/// What is stored after a step.
pub(super) fn take(
    step: Step,
    stored: &Stored,
    now: Timestamp,
    names: &[String],
    times: &CertificateTimes,
) -> Result<Stored, MaterialError> {
    let mut stored = stored.clone();
    match step {
        Step::Keep => {}
        Step::Create => {
            let authority = Authority::generate(now, times)?;
            let leaf = authority.sign(now, names, times)?;
            stored = Stored { current: Some(authority), leaf: Some(leaf), ..Stored::default() };
        }
        Step::RenewLeaf => {
            let authority = stored.current.as_ref().ok_or(MaterialError::NoAuthority)?;
            stored.leaf = Some(authority.sign(now, names, times)?);
        }
        Step::IntroduceAuthority => stored.next = Some(Authority::generate(now, times)?),
        Step::SwitchAuthority => {
            let authority = stored.next.take().ok_or(MaterialError::NoAuthority)?;
            stored.leaf = Some(authority.sign(now, names, times)?);
            let old = stored.current.replace(authority);
            stored.previous = old.map(|old| (old.certificate, old.validity));
        }
        Step::DropPrevious => stored.previous = None,
    }
    Ok(stored)
}

fn authority_params(name: &str, validity: Validity) -> Result<CertificateParams, MaterialError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = distinguished(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    set_life(&mut params, validity)?;
    Ok(params)
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn usable(certificate: &str, key: &str) -> Result<(), MaterialError> {
    let both = tls::certified_key(certificate.as_bytes(), key.as_bytes());
    both.map(|_| ()).map_err(|_| MaterialError::Read("it and its key cannot be used together"))
}

/// Whole seconds, as certificates have them.
fn validity(
    now: Timestamp,
    times: &CertificateTimes,
    life: std::time::Duration,
    at_most: Option<Timestamp>,
) -> Validity {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let until = shifted(now, duration(life));
    Validity {
        from: shifted(now, duration(times.backdate).saturating_mul(-1)),
        until: at_most.map_or(until, |at_most| at_most.min(until)),
    }
}

fn duration(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn shifted(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(time)
}

/// Sets from when to when a certificate is valid.
fn set_life(params: &mut CertificateParams, validity: Validity) -> Result<(), MaterialError> {
    let time = |time: Timestamp| ASN1Time::from_timestamp(time.as_second()).map_err(|_| MaterialError::Time(time));
    params.not_before = time(validity.from)?.to_datetime();
    params.not_after = time(validity.until)?.to_datetime();
    Ok(())
}
