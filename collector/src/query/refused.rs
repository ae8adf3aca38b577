//! The rows of earlier imports that could not be used.

use muster_common::{
    page::{InvalidPageToken, page_size},
    time::Timestamp,
};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};

use super::{Query, QueryFailure, page};
use crate::{privacy::Sealed, records::key, store::Key};

impl Query {
    /// A page of refused rows, by source.
    ///
    /// # Errors
    /// When the token is of another list, or the store can't answer.
    pub async fn list_refused_rows(
        &self,
        request: &v1::ListRefusedRowsRequest,
    ) -> Result<v1::ListRefusedRowsResponse, QueryFailure> {
        let v1::ListRefusedRowsRequest { page_size: size, page_token } = request;
        let after = page::decode(page_token)?.map(after).transpose()?;
        let size = page_size(*size) as usize;
        let mut found: Vec<(Key, stored::RefusedRow)> =
            self.records().scan(key::REFUSED_ROWS, after.as_ref(), size + 1).await?;
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|(key, _)| key.as_bytes().to_vec());
        let mut rows = Vec::with_capacity(found.len());
        for (_, stored::RefusedRow { source, row, reason, sealed_content, nonce, time_ms }) in found {
            let opened = self.persons.vault().open_own(&Sealed { bytes: sealed_content, nonce })?;
            // The reason may quote the row, so it lies sealed in front of it.
            let text = String::from_utf8_lossy(&opened);
            let (sealed_reason, content) = text.split_once('\0').unwrap_or(("", &text));
            rows.push(v1::RefusedRow {
                source,
                row,
                reason: if reason.is_empty() { sealed_reason.to_owned() } else { reason },
                content: content.to_owned(),
                import_time: Some(to_timestamp(Timestamp::from_millis(time_ms))),
            });
        }
        Ok(v1::ListRefusedRowsResponse { rows, next_page_token: page::encode(next.as_deref()) })
    }
}

fn after(token: Vec<u8>) -> Result<Key, InvalidPageToken> {
    if !token.starts_with(key::REFUSED_ROWS) {
        return Err(InvalidPageToken);
    }
    Key::new(token).map_err(|_| InvalidPageToken)
}
