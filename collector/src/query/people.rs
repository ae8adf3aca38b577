//! Persons as lists show them; addresses and numbers for those alone who may see them.

use std::collections::BTreeSet;

use muster_common::{id::PersonId, page::page_size, person::PersonFacts, time::Timestamp};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};

use super::{QueryFailure, View, page};
use crate::registry::{Person, name_of};

/// How many persons are looked at for one page of leavers.
const MOST_SCANNED: usize = 20_000;

impl View<'_> {
    /// A page of persons; `personal` opens addresses and numbers.
    ///
    /// # Errors
    /// When the token is of another list, or store or vault can't answer.
    pub async fn list_persons(
        &self,
        request: &v1::ListPersonsRequest,
        personal: bool,
    ) -> Result<v1::ListPersonsResponse, QueryFailure> {
        let v1::ListPersonsRequest { page_size: size, page_token, leavers } = request;
        let size = page_size(*size) as usize;
        let now = self.now();
        let after = page::decode(page_token)?.map(|bytes| {
            <[u8; 16]>::try_from(bytes.as_slice())
                .map(PersonId::from_bytes)
                .map_err(|_| muster_common::page::InvalidPageToken)
        });
        let mut after = after.transpose()?;
        let mut found: Vec<Person> = Vec::new();
        let mut scanned = 0;
        let next = loop {
            let (persons, last) = self.persons.list(after, size).await?;
            let Some(last) = last else { break None };
            after = Some(last);
            scanned += size;
            let has_left = |person: &Person| person.facts.as_ref().is_some_and(|facts| facts.has_left(now));
            for person in persons.into_iter().filter(|it| self.sees_person(it) && (!leavers || has_left(it)))
            {
                found.push(person);
            }
            if found.len() >= size || scanned >= MOST_SCANNED {
                let next = if found.len() > size { found[size - 1].id } else { last };
                found.truncate(size);
                break Some(next);
            }
        };
        let mut persons = Vec::with_capacity(found.len());
        let managers = found.iter().filter_map(|person| person.facts.as_ref()?.manager);
        let names = self.names(managers).await?;
        for person in &found {
            let manager = person.facts.as_ref().and_then(|facts| facts.manager);
            let manager_name = manager.map(|id| names.person(id)).unwrap_or_default();
            persons.push(self.shown_person(person, manager_name, personal, now)?);
        }
        let next_page_token = page::encode(next.as_ref().map(|id| id.as_bytes().as_slice()));
        Ok(v1::ListPersonsResponse { persons, next_page_token })
    }

    /// One person, by id, name, address or number.
    ///
    /// # Errors
    /// When there is nobody by that name.
    pub async fn get_person(
        &self,
        request: &v1::GetPersonRequest,
        personal: bool,
    ) -> Result<v1::Person, QueryFailure> {
        let name = &request.name;
        let nobody = || QueryFailure::NoPerson { name: name.chars().take(64).collect() };
        if name.is_empty() || name.len() > muster_proto::limits::TEXT_BYTES {
            return Err(nobody());
        }
        let id = match name.strip_prefix("persons/").unwrap_or(name).parse::<PersonId>() {
            Ok(id) => id,
            Err(_) => self.persons.find(name).await?.ok_or_else(nobody)?,
        };
        let person = self.persons.get(id).await?.filter(|it| self.sees_person(it)).ok_or_else(nobody)?;
        let manager = person.facts.as_ref().and_then(|facts| facts.manager);
        let names = self.names(manager).await?;
        let manager_name = manager.map(|id| names.person(id)).unwrap_or_default();
        self.shown_person(&person, manager_name, personal, self.now())
    }

    /// Whoever sees some departments alone sees their people.
    fn sees_person(&self, person: &Person) -> bool {
        self.sees_department(person.facts.as_ref().and_then(|facts| facts.department.as_deref()))
    }

    fn shown_person(
        &self,
        person: &Person,
        manager_name: String,
        personal: bool,
        now: Timestamp,
    ) -> Result<v1::Person, QueryFailure> {
        let id = person.id;
        let PersonFacts { department, location, cost_center, manager, starts, ends } =
            person.facts.clone().unwrap_or_default();
        let display_name = match &person.values {
            Some(values) => name_of(values),
            None => "erased person".to_owned(),
        };
        let stored::PersonValues { email, employee_number, .. } =
            person.values.clone().filter(|_| personal).unwrap_or_default();
        let ids: BTreeSet<PersonId> = std::iter::once(id).chain(person.aliases.iter().copied()).collect();
        let of =
            |field: &str| ids.iter().map(|id| format!("{field} = \"{id}\"")).collect::<Vec<_>>().join(" OR ");
        let filter = format!("{} OR {}", of("assigned_to"), of("owner"));
        let asset_count = self.index.read().count(&self.narrowed(page::filter(&filter)?), now)?;
        Ok(v1::Person {
            name: format!("persons/{id}"),
            display_name,
            email,
            employee_number,
            department: department.unwrap_or_default(),
            location: location.unwrap_or_default(),
            cost_center: cost_center.unwrap_or_default(),
            manager: manager.map(|id| format!("persons/{id}")).unwrap_or_default(),
            manager_name,
            first_day: starts.map(to_timestamp),
            last_day: ends.map(to_timestamp),
            has_left: ends.is_some() && PersonFacts { ends, ..PersonFacts::default() }.has_left(now),
            erase_time: person.erased.map(to_timestamp),
            source: person.listed_by.clone(),
            asset_count,
            filter,
        })
    }
}
