//! Software over the whole fleet: each version of a title with the number of devices that have it.

use muster_common::{
    filter::Filter,
    page::{OrderBy, page_size},
};
use muster_proto::v1;

use super::{QueryFailure, View, convert, page};
use crate::index::{SoftwareBy, SoftwareRequest};

impl View<'_> {
    /// A page of the software that matches, the most frequent first.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub async fn list_software(
        &self,
        request: &v1::ListSoftwareRequest,
    ) -> Result<v1::ListSoftwareResponse, QueryFailure> {
        let v1::ListSoftwareRequest { page_size: size, page_token, filter } = request;
        let filter = page::filter(filter)?;
        let token = page::decode(page_token)?;
        let listed = self.index.read().software(&SoftwareRequest {
            filter: &filter,
            on: &self.narrowed(Filter::All),
            by: SoftwareBy::Version,
            order: &OrderBy::default(),
            token: token.as_deref(),
            size: page_size(*size),
            now: self.now(),
        })?;
        Ok(v1::ListSoftwareResponse {
            software: listed.rows.iter().map(convert::title).collect(),
            next_page_token: page::encode(listed.next.as_deref()),
            total_size: i64::try_from(listed.total).unwrap_or(i64::MAX),
        })
    }
}
