//! `muster request`, `muster approve`, `muster refuse`: what should be bought, and who agrees.

use clap::Subcommand;
use muster_proto::v1::{
    AdvancePurchaseRequestRequest, CreatePurchaseRequestRequest, DecidePurchaseRequestRequest,
    GetPurchaseRequestRequest, ListPurchaseRequestsRequest, ListPurchaseRequestsResponse, PurchaseRequest,
};

use super::{Paging, bare_id, count_note};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment, visible},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Ask for something to be bought
    Create(Create),
    /// List requests
    List(List),
    /// Show one request
    Show {
        /// The id, as list shows it
        id: String,
    },
    /// Say that the supplier has the order
    Order {
        /// The id of the request
        id: String,
        /// The number of the order
        #[arg(long, value_name = "NUMBER")]
        order: String,
    },
    /// Say that the supplier has sent it
    Sent {
        /// The id of the request
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// What is wanted
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// What kind of asset
    #[arg(long, value_name = "CATEGORY", default_value = "device")]
    category: String,
    /// What all of it costs, such as '1200 EUR'
    #[arg(long, value_name = "AMOUNT", default_value = "", hide_default_value = true)]
    cost: String,
    /// How many pieces
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    quantity: u32,
    /// For whom, by name or address
    #[arg(long = "for", value_name = "PERSON", default_value = "", hide_default_value = true)]
    person: String,
    /// Why it is needed
    #[arg(long, value_name = "TEXT")]
    justification: String,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only those in this state, such as requested
    #[arg(long, value_name = "STATE", default_value = "", hide_default_value = true)]
    state: String,
    #[command(flatten)]
    paging: Paging,
}

/// The words of `muster approve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Approve {
    /// The id of the request
    id: String,
    /// Something to say with it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    remark: String,
}

/// The words of `muster refuse`.
#[derive(Debug, clap::Args)]
pub(crate) struct Refuse {
    /// The id of the request
    id: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Does what was asked.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut lifecycle = session.lifecycle.clone();
    match &words.action {
        Action::Create(create) => {
            let request = session.explain(lifecycle.create_purchase_request(ask(message(create))).await)?;
            Ok(one(&request, screen, &[format!("Somebody else approves it: muster approve {}", request.id)]))
        }
        Action::List(list) => {
            let mut whole = ListPurchaseRequestsResponse::default();
            let mut token = list.paging.first_token();
            loop {
                let request = ListPurchaseRequestsRequest {
                    page_size: list.paging.size(),
                    page_token: token,
                    state: list.state.clone(),
                };
                let page = session.explain(lifecycle.list_purchase_requests(ask(request)).await)?;
                whole.requests.extend(page.requests);
                whole.next_page_token = page.next_page_token;
                if !list.paging.goes_on(&whole.next_page_token) {
                    return Ok(listed(&whole, screen));
                }
                token = whole.next_page_token.clone();
            }
        }
        Action::Show { id } => {
            let request = GetPurchaseRequestRequest { id: id.clone() };
            let request = session.explain(lifecycle.get_purchase_request(ask(request)).await)?;
            Ok(one(&request, screen, &[]))
        }
        Action::Order { id, order } => advance(session, id, "ordered", order, screen).await,
        Action::Sent { id } => advance(session, id, "in-transit", "", screen).await,
    }
}

/// Approves a request of somebody else.
pub(crate) async fn approve(words: &Approve, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    decide(session, &words.id, true, &words.remark, screen).await
}

/// Refuses a request of somebody else.
pub(crate) async fn refuse(words: &Refuse, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    decide(session, &words.id, false, &words.reason, screen).await
}

async fn decide(
    session: &Session,
    id: &str,
    approve: bool,
    remark: &str,
    screen: &Screen,
) -> Result<Answer, Failure> {
    let request = DecidePurchaseRequestRequest { id: id.to_owned(), approve, remark: remark.to_owned() };
    let request = session.explain(session.lifecycle.clone().decide_purchase_request(ask(request)).await)?;
    let next = format!("When it is ordered: muster request order {} --order NUMBER", request.id);
    Ok(one(&request, screen, if approve { std::slice::from_ref(&next) } else { &[] }))
}

async fn advance(
    session: &Session,
    id: &str,
    state: &str,
    order: &str,
    screen: &Screen,
) -> Result<Answer, Failure> {
    let request = AdvancePurchaseRequestRequest {
        id: id.to_owned(),
        state: state.to_owned(),
        order_number: order.to_owned(),
    };
    let request = session.explain(session.lifecycle.clone().advance_purchase_request(ask(request)).await)?;
    let next = format!("When it is here: muster transition ASSET received --request {}", request.id);
    Ok(one(&request, screen, &[next]))
}

fn message(create: &Create) -> CreatePurchaseRequestRequest {
    let Create { model, category, cost, quantity, person, justification } = create;
    CreatePurchaseRequestRequest {
        category: category.clone(),
        model: model.clone(),
        cost: cost.clone(),
        quantity: *quantity,
        person: person.clone(),
        justification: justification.clone(),
    }
}

fn one(request: &PurchaseRequest, screen: &Screen, notes: &[String]) -> Answer {
    let mut answer = listed(
        &ListPurchaseRequestsResponse { requests: vec![request.clone()], next_page_token: String::new() },
        screen,
    );
    answer.json = Document::of(request);
    let mut lines = vec![
        ("request", request.id.clone()),
        ("state", request.state.clone()),
        ("what", format!("{} × {} {}", request.quantity, request.category, request.model)),
        ("cost", request.cost.clone()),
        ("for", request.person.clone()),
        ("why", request.justification.clone()),
        ("asked by", format!("{}, {}", request.requester, ago(request.create_time.as_ref(), screen.now))),
        ("order", request.order_number.clone()),
        ("remark", request.remark.clone()),
    ];
    if !request.approver.is_empty() {
        let when = ago(request.decide_time.as_ref(), screen.now);
        lines.push(("decided by", format!("{}, {when}", request.approver)));
    }
    lines.extend(request.assets.iter().map(|asset| ("received", bare_id(asset).to_owned())));
    let lines = lines.into_iter().filter(|(_, text)| !text.is_empty());
    answer.sheet = Some(lines.map(|(what, text)| format!("{what:<11} {}\n", visible(&text, 1024))).collect());
    answer.notes = notes.to_vec();
    answer
}

fn listed(response: &ListPurchaseRequestsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("id"),
        Column::new("state"),
        Column::number("pieces"),
        Column::new("model"),
        Column::new("cost"),
        Column::new("for").spare(1),
        Column::new("asked_by").spare(2),
        Column::new("asked"),
        Column::new("order").spare(3),
    ]);
    for request in &response.requests {
        let tone = match request.state.as_str() {
            "requested" => Tone::Warning,
            "refused" => Tone::Quiet,
            "received" => Tone::Good,
            _ => Tone::Plain,
        };
        let time = request.create_time.as_ref();
        grid.rows.push(vec![
            Cell::text(&request.id),
            Cell::text(&request.state).in_tone(tone),
            Cell::text(request.quantity.to_string()),
            Cell::text(&request.model),
            Cell::text(&request.cost),
            Cell::text(&request.person),
            Cell::text(&request.requester),
            Cell::pair(ago(time, screen.now), moment(time)),
            Cell::text(&request.order_number),
        ]);
    }
    let note = count_note(response.requests.len(), 0, "request", &response.next_page_token);
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_csv, check_table, screen},
    };

    #[test]
    fn a_request_says_all_that_is_known_and_who_comes_next() {
        let request = PurchaseRequest {
            id: "6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            state: "requested".to_owned(),
            category: "device".to_owned(),
            model: "ThinkPad T14".to_owned(),
            cost: "1200.00 EUR".to_owned(),
            quantity: 1,
            justification: "starts in March".to_owned(),
            requester: "operator/eve".to_owned(),
            create_time: at("2026-11-24T11:00:00Z"),
            ..PurchaseRequest::default()
        };
        check_table(
            &one(&request, &screen(), &["Somebody else approves it: muster approve 6f1c".to_owned()]),
            "
request     6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11
state       requested
what        1 × device ThinkPad T14
cost        1200.00 EUR
why         starts in March
asked by    operator/eve, 1 h ago

Somebody else approves it: muster approve 6f1c",
        );
        check_csv(
            &one(&request, &screen(), &[]),
            &[
                "id,state,pieces,model,cost,for,asked_by,asked,order",
                "6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11,requested,1,ThinkPad T14,1200.00 EUR,,operator/eve,2026-11-24T11:00:00Z,",
            ],
        );
    }
}
