/** What a demo tells, phase by phase; `--json` prints it as it is. Money in micros, as text; ratios from 0 to 1. */
export interface DemoReport {
  readonly what_if: boolean;
  readonly seed: number;
  readonly market_check: MarketCheck;
  readonly auction: AuctionOpened;
  readonly bids: BidsTaken;
  readonly award: AwardMade | undefined;
  readonly execution: ExecutionDone | undefined;
  readonly settlement: Settlement | undefined;
}

export interface MarketCheck {
  readonly services: readonly { readonly name: string; readonly address: string }[];
  readonly agents: readonly {
    readonly agent_id: string;
    readonly capabilities: readonly string[];
    readonly success_rate: number;
    readonly completed_tasks: number;
    readonly calibration: number;
    readonly eligible: boolean;
  }[];
  readonly earlier_tasks: number;
  readonly requester: string;
  readonly available_micros: string;
  readonly currency: string;
}

export interface AuctionOpened {
  readonly task_id: string;
  readonly task_type: string;
  readonly state: string;
  readonly capability: string;
  readonly max_cost_micros: string;
  readonly max_latency_seconds: number;
  readonly min_success_rate: number;
  readonly complexity: string;
  readonly scoring_policy: string;
  readonly payment_rule: string;
}

/** A bid with every term of its score. */
export interface ScoredBid {
  readonly agent_id: string;
  readonly price_micros: string;
  readonly latency_seconds: number;
  readonly success_rate: number;
  readonly calibration: number;
  readonly score_micros: string;
  readonly score_parts: readonly { readonly name: string; readonly micros: string }[];
}

export interface BidsTaken {
  /** Best first. */
  readonly ranking: readonly ScoredBid[];
  readonly refused: readonly {
    readonly agent_id: string;
    readonly faults: readonly { readonly reason: string; readonly description: string }[];
  }[];
  readonly declined: readonly { readonly agent_id: string; readonly reason: string }[];
}

export interface AwardMade {
  readonly winner: string;
  readonly price_micros: string;
  readonly margin_micros: string;
  readonly epoch: string;
  readonly transaction_id: string;
  readonly transaction_state: string;
  readonly requester_before: Funds;
  readonly requester_after: Funds;
}

/** What an owner has, in micros. */
export interface Funds {
  readonly posted_micros: string;
  readonly held_micros: string;
  readonly available_micros: string;
}

export interface ExecutionDone {
  readonly success: boolean;
  readonly estimated_seconds: number;
  readonly actual_seconds: number;
}

export interface Settlement {
  readonly task_state: string;
  readonly end_reason: string;
  readonly transaction_state: string;
  readonly paid_micros: string;
  readonly movements: readonly {
    readonly kind: string;
    readonly debit: string;
    readonly credit: string;
    readonly micros: string;
  }[];
  readonly credits_earned_micros: string;
  readonly before: Standing;
  readonly after: Standing;
  readonly lineage: readonly {
    readonly sequence: string;
    readonly type: string;
    readonly subjects: Readonly<Record<string, string>>;
    readonly hash: string;
  }[];
  readonly books_hold: boolean;
  readonly chain_holds: boolean;
}

/** How an agent stands. */
export interface Standing {
  readonly credits_micros: string;
  readonly calibration: number;
  readonly score: number;
  readonly completed_tasks: number;
  readonly failed_tasks: number;
  readonly reliability: number;
}
