//! Roles whose holder can become anything: the catalog must say that it knows.

use uuid::{Uuid, uuid};

/// Tier-0 roles by the id of their definition, the same in every tenant.
const TIER_0: [(Uuid, &str); 10] = [
    (uuid!("62e90394-69f5-4237-9190-012177145e10"), "Global Administrator"),
    (uuid!("e8611ab8-c189-46e8-94e1-60213ab1f814"), "Privileged Role Administrator"),
    (uuid!("7be44c8a-adaf-4e2a-84d6-ab2649e08a13"), "Privileged Authentication Administrator"),
    (uuid!("194ae4cb-b126-40b2-bd5b-6091b380977d"), "Security Administrator"),
    (uuid!("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"), "Application Administrator"),
    (uuid!("158c047a-c907-4556-b7ef-446551a6b5f7"), "Cloud Application Administrator"),
    (uuid!("8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2"), "Hybrid Identity Administrator"),
    (uuid!("8329153b-31d0-4727-b945-745eb3bc5f31"), "Domain Name Administrator"),
    (uuid!("e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8"), "Partner Tier2 Support"),
    (uuid!("be2f45a1-457d-42af-a067-6ec1fa63bc45"), "External Identity Provider Administrator"),
];

/// The name of a tier-0 role; `None` for any other.
pub(super) fn name(role: Uuid) -> Option<&'static str> {
    let known = TIER_0.iter().find(|(id, _)| *id == role);
    known.map(|(_, name)| *name)
}
