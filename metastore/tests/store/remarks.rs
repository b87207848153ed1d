//! Remarks on runs.

use penstock_metastore::{Listed, MetastoreError, Remark, RemarkKind};
use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::fixture::Fixture;

fn remark(kind: RemarkKind, subject: &str, second: i64, text: &str) -> Remark {
    let at = Timestamp::from_second(second).unwrap();
    Remark { kind, subject: subject.to_owned(), at, text: text.to_owned() }
}

#[tokio::test]
async fn newest_remark_of_a_kind_about_a_subject_counts_until_it_is_cleared() {
    let Some(fixture) = Fixture::new().await else { return };
    let store = &fixture.store;
    let (run, other) = (fixture.run(1).await, fixture.run(2).await);
    let held = remark(RemarkKind::Quarantined, "", 5, "its facts are damaged");
    let first = remark(RemarkKind::Contradiction, "train", 1, "first");
    let second = remark(RemarkKind::Contradiction, "train", 7, "second");
    for remark in [&held, &first, &second, &held] {
        store.put_remark(run, remark.clone()).await.unwrap();
    }
    store.put_remark(other, first.clone()).await.unwrap();
    let remarks = store.remarks(run).await.unwrap();
    assert_eq!(remarks, [Listed::Readable(held), Listed::Readable(second.clone())]);
    assert_eq!(store.remarked_runs(RemarkKind::Quarantined).await.unwrap(), [run]);

    store.clear_remarks(run, RemarkKind::Quarantined).await.unwrap();
    store.clear_remarks(run, RemarkKind::Quarantined).await.unwrap();
    assert_eq!(store.remarks(run).await.unwrap(), [Listed::Readable(second)]);
    assert_eq!(store.remarked_runs(RemarkKind::Quarantined).await.unwrap(), Vec::<Uuid>::new());
    let nobody = store.put_remark(Uuid::from_u128(99), first).await.unwrap_err();
    assert!(matches!(nobody, MetastoreError::NoSuchRun { .. }), "{nobody}");
}
