/** Something the market does with data of agents and of people behind them, as a record of processing lists it. */
export interface Activity {
  readonly id: string;
  readonly name: string;
  readonly purpose: string;
  /** Who is concerned. */
  readonly subjects: readonly string[];
  /** What is processed. */
  readonly data: readonly string[];
  /** Who gets to see it. */
  readonly recipients: readonly string[];
  readonly retention: string;
  /** The events that bear witness to it. */
  readonly eventTypes: readonly string[];
}

/** What holds for the events of every activity. */
export const RECORD_RETENTION =
  "Events stay on the record for as long as the market is run. Their subjects are pseudonyms; erasing an agent " +
  "destroys the link to them for good.";

/** What the market does, by the events that it tells. */
export const ACTIVITIES: readonly Activity[] = [
  {
    id: "registration",
    name: "Keeping the register of agents",
    purpose: "To know which agents offer what, at what price, and whether they are there.",
    subjects: ["Agents", "Authors of agents"],
    data: [
      "Agent id",
      "Profile: name, description, endpoint, capabilities, price, labels",
      "Times",
    ],
    recipients: ["registry", "discovery", "auction", "Callers of the market (profile)"],
    retention: "Profile: until the agent is erased.",
    eventTypes: ["agent_registered", "agent_updated", "agent_unregistered"],
  },
  {
    id: "auction",
    name: "Auctioning tasks",
    purpose:
      "To give a task to the agent that offers the best terms, and to be able to explain why.",
    subjects: ["Requesters", "Bidders", "Evaluators"],
    data: ["Agent id", "Terms of bids", "Requirements and payload of tasks", "Reasons to decline"],
    recipients: ["auction", "Bidders (the task)", "Requester (the bids)"],
    retention: "Tasks and bids: for as long as the market is run; texts until a party is erased.",
    eventTypes: [
      ...["auction_created", "bid_submitted", "bid_refused", "bid_declined"],
      ...["task_cancelled", "task_expired"],
    ],
  },
  {
    id: "performance",
    name: "Performing and judging tasks",
    purpose: "To have the work done, delivered, judged and paid for.",
    subjects: ["Requesters", "Winners", "Evaluators"],
    data: [
      "Agent id",
      "Output or its place and digest",
      "Words of the evaluator",
      "Price",
      "Times",
    ],
    recipients: ["auction", "ledger", "registry", "Requester, evaluator and winner"],
    retention:
      "Digest, price and times: for as long as the market is run; texts until a party is erased.",
    eventTypes: [
      ...["task_awarded", "result_delivered", "award_lapsed", "task_completed"],
      "delivery_recorded",
    ],
  },
  {
    id: "reputation",
    name: "Rating agents",
    purpose: "To tell by their settled work how far agents can be relied on.",
    subjects: ["Agents"],
    data: ["Agent id", "Outcomes of tasks", "Scores and their corrections"],
    recipients: ["registry", "discovery", "auction", "Callers of the market (scores)"],
    retention: "Under the agent's id until it is erased, then under an alias.",
    eventTypes: ["reputation_adjusted"],
  },
  {
    id: "disputes",
    name: "Deciding disputes about payments",
    purpose: "To decide who is to have contested money, on what both sides have shown.",
    subjects: ["Payers", "Providers", "Arbitrators"],
    data: ["Agent id", "Amounts", "Evidence: notes, references, digests", "Votes and rulings"],
    recipients: ["ledger", "Both parties", "Arbitrators"],
    retention:
      "Amounts, digests and rulings: with the books; notes and references until a party is erased.",
    eventTypes: [
      ...["transaction_disputed", "evidence_submitted", "vote_cast", "dispute_resolved"],
    ],
  },
  {
    id: "accounts",
    name: "Keeping accounts",
    purpose:
      "To keep agents' money, to limit what they may owe, and to freeze or close an account.",
    subjects: ["Owners of accounts"],
    data: ["Agent id", "Balances and movements", "Credit limits", "Whether an account may be used"],
    recipients: ["ledger", "The owner"],
    retention: "With the books; under an alias once the owner is erased.",
    eventTypes: ["credit_limit_set", "account_status_set"],
  },
  {
    id: "erasure",
    name: "Erasing agents on request",
    purpose: "To honour requests for erasure, and to be able to show that they were.",
    subjects: ["Agents", "Authors of agents"],
    data: ["Number of the erasure", "Times"],
    recipients: ["registry", "auction", "ledger"],
    retention: "The number and its times stay; they do not say of whom.",
    eventTypes: ["erasure_requested", "agent_erased"],
  },
];

/** What an event counts as that no activity names: a record must not pass over what it does not know. */
export const OTHER: Activity = {
  id: "other",
  name: "Not described yet",
  purpose: "Events of types that this report does not know. Describe them before you hand it on.",
  subjects: ["Unknown"],
  data: ["Unknown"],
  recipients: ["ledger"],
  retention: "Unknown",
  eventTypes: [],
};

/** The activity that an event of a type bears witness to. */
export function activityOf(type: string): Activity {
  return ACTIVITIES.find((activity) => activity.eventTypes.includes(type)) ?? OTHER;
}

/** What the parts are called that subjects play in events. */
export const ROLES: Readonly<Record<string, string>> = {
  agent: "Agents that offer work",
  requester: "Requesters that order and pay for it",
  winner: "Agents that were awarded a task",
  evaluator: "Agents that judge work for a requester",
  payer: "Payers in a dispute or delivery",
  provider: "Providers in a dispute or delivery",
  arbitrator: "Arbitrators named to rule",
  owner: "Owners of accounts",
};

/** What protects the data, as the software has it; what an operator does besides is theirs to add. */
export const SAFEGUARDS: readonly string[] = [
  "Subjects of events are random pseudonyms; the table that resolves them is apart, and a row deleted " +
    "from it cannot be recovered from the record.",
  "Payloads of events are searched for e-mail addresses, phone numbers and IBANs; one that holds such is refused.",
  "Events and movements of money are chained by SHA-256, and a Merkle tree over them proves that nothing was " +
    "changed, dropped, inserted or moved.",
  "Every method of every service names who may call it; callers prove who they are by signed tokens that run out.",
  "Results are shown to requester, evaluator and winner only, and bids are sealed until the award.",
  "Erasure reaches every service at least once, and is complete only when each has confirmed it.",
];
