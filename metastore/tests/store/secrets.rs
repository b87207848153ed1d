//! What all processes over a store know alike.

use crate::fixture::Fixture;

/// Of several processes over a store, each takes what another one has signed; those of other stores do not.
#[tokio::test]
async fn secret_of_page_tokens_belongs_to_the_store() {
    let (Some(fixture), Some(another)) = (Fixture::new().await, Fixture::new().await) else { return };
    let secret = fixture.store.page_token_secret().await.unwrap();
    assert!(secret.len() >= 60 && secret.chars().all(|c| c.is_ascii_hexdigit()), "{} characters", secret.len());
    assert_eq!(fixture.open().await.page_token_secret().await.unwrap(), secret);
    assert_ne!(another.store.page_token_secret().await.unwrap(), secret);
}
