//! Where a Lease is kept.

use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use penstock_spec::{Timestamp, keys};
use thiserror::Error;

use super::api_failure::answer_text;
use super::lease::LeaseRecord;

/// Keeps one Lease.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// What the Lease says; none if there is none.
    async fn read(&self) -> Result<Option<LeaseRecord>, LeaseStoreError>;

    /// Writes the Lease if it still has the version that the record names; an empty version creates it. Returns what
    /// was written, with its new version.
    async fn write(&self, record: &LeaseRecord) -> Result<LeaseRecord, LeaseStoreError>;
}

/// A Lease could not be read or written.
#[derive(Debug, Error)]
pub enum LeaseStoreError {
    /// Somebody else wrote it meanwhile.
    #[error("the lease was written by somebody else meanwhile")]
    Conflict,
    /// Nobody answered.
    #[error("no answer about the lease for {} s", limit.as_secs_f64())]
    NoAnswer {
        /// How long we waited.
        limit: Duration,
    },
    /// Anything else.
    #[error("cannot {what}: {reason}")]
    Failed {
        /// What was attempted.
        what: String,
        /// What the answer was.
        reason: String,
    },
}

/// A Lease object of the cluster.
pub struct KubernetesLease {
    api: Api<Lease>,
    namespace: String,
    name: String,
}

impl KubernetesLease {
    /// The Lease of this name in this namespace, ours.
    pub fn new(client: Client, namespace: &str, name: &str) -> KubernetesLease {
        let api = Api::namespaced(client, namespace);
        KubernetesLease { api, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn failed(&self, verb: &str, error: &kube::Error) -> LeaseStoreError {
        match error {
            kube::Error::Api(status) if status.code == 409 => LeaseStoreError::Conflict,
            other => LeaseStoreError::Failed {
                what: format!("{verb} Lease {}/{}", self.namespace, self.name),
                reason: answer_text(other),
            },
        }
    }
}

#[async_trait]
impl LeaseStore for KubernetesLease {
    async fn read(&self) -> Result<Option<LeaseRecord>, LeaseStoreError> {
        let lease = self.api.get_opt(&self.name).await.map_err(|error| self.failed("read", &error))?;
        Ok(lease.map(record_of))
    }

    async fn write(&self, record: &LeaseRecord) -> Result<LeaseRecord, LeaseStoreError> {
        let lease = lease_of(&self.name, record);
        let parameters = PostParams { field_manager: Some("penstock".to_owned()), ..PostParams::default() };
        let written = if record.version.is_empty() {
            self.api.create(&parameters, &lease).await.map_err(|error| self.failed("create", &error))?
        } else {
            self.api.replace(&self.name, &parameters, &lease).await.map_err(|error| self.failed("write", &error))?
        };
        Ok(record_of(written))
    }
}

/// Whatever stands in the object: what is missing or odd is read as the least harmful.
fn record_of(lease: Lease) -> LeaseRecord {
    let spec = lease.spec.unwrap_or_default();
    let time = |time: Option<MicroTime>| {
        time.and_then(|time| Timestamp::from_microsecond(time.0.as_microsecond()).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    LeaseRecord {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: Duration::from_secs(seconds),
        acquired: time(spec.acquire_time),
        renewed: time(spec.renew_time),
        transitions: spec.lease_transitions.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        version: lease.metadata.resource_version.unwrap_or_default(),
    }
}

fn micro_time(time: Timestamp) -> Option<MicroTime> {
    k8s_openapi::jiff::Timestamp::from_microsecond(time.as_microsecond()).ok().map(MicroTime)
}

fn lease_of(name: &str, record: &LeaseRecord) -> Lease {
    let labels = [(keys::LABEL_MANAGED_BY.to_owned(), keys::MANAGED_BY.to_owned())].into();
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            resource_version: Some(record.version.clone()).filter(|version| !version.is_empty()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(record.holder.clone()),
            lease_duration_seconds: Some(i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            acquire_time: micro_time(record.acquired),
            renew_time: micro_time(record.renewed),
            lease_transitions: Some(i32::try_from(record.transitions).unwrap_or(i32::MAX)),
            ..LeaseSpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i20_odd_leases_are_read_as_free_or_short() {
        let odd = LeaseSpec { lease_duration_seconds: Some(-5), lease_transitions: Some(-1), ..LeaseSpec::default() };
        let record = record_of(Lease { spec: Some(odd), ..Lease::default() });
        assert_eq!((record.holder.as_str(), record.duration, record.transitions), ("", Duration::ZERO, 0));
        assert_eq!(record_of(Lease::default()).version, "");
    }
}
