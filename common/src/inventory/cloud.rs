//! What a cloud says of the instance that it runs.

/// A cloud instance, by its metadata service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloudInstance {
    /// `aws`, `azure` or `gcp`.
    pub provider: String,
    /// Instance id: with its account, evidence of identity.
    pub instance_id: Option<String>,
    /// Account, subscription or project.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Zone.
    pub zone: Option<String>,
    /// Machine type.
    pub instance_type: Option<String>,
    /// Image that it was made of.
    pub image: Option<String>,
    /// Name given by its owner.
    pub name: Option<String>,
    /// Tags as `key=value`, sorted, at most 64.
    pub tags: Vec<String>,
}
