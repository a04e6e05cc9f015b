import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Shape, type Variable, variablesOf } from "@bourse/service";
import { parse, parseAllDocuments } from "yaml";
import { allPaths, readText, root } from "./tree.ts";

/** The services that are deployed, with the ports that the README names. */
export const SERVICES = [
  { name: "registry", port: 7401, metricsPort: 9401 },
  { name: "auction", port: 7402, metricsPort: 9402 },
  { name: "ledger", port: 7403, metricsPort: 9403 },
  { name: "discovery", port: 7404, metricsPort: 9404 },
] as const;

/** The variables of a service's config.ts; undefined while there is none. */
export async function variablesOfService(name: string): Promise<readonly Variable[] | undefined> {
  const path = join(root, "services", name, "src/config.ts");
  if (!existsSync(path)) return undefined;
  const { variables } = (await import(/* @vite-ignore */ path)) as { variables: Shape };
  return variablesOf(variables);
}

/** What is wrong with the environment that a service is given. */
export function environmentFaults(
  variables: readonly Variable[],
  environment: ReadonlyMap<string, string | undefined>,
): readonly string[] {
  const known = new Set(variables.map((variable) => variable.name));
  const unknown = [...environment.keys()].filter((name) => !known.has(name));
  const missing = variables.filter(({ name, required }) => required && !environment.has(name));
  return [
    ...unknown.map((name) => `${name} is set but not read`),
    ...missing.map(({ name }) => `${name} is required but not set`),
  ];
}

/** Whom a service calls, read from its variables: peers by name and the stores. */
export function calleesOf(variables: readonly Variable[]): readonly string[] {
  return variables.flatMap(({ name }) => {
    const [, peer] = /^BOURSE_([A-Z]+)_ADDRESS$/.exec(name) ?? [];
    if (peer !== undefined) return [peer.toLowerCase()];
    if (name === "DATABASE_URL") return ["postgres"];
    return name === "REDIS_URL" ? ["redis"] : [];
  });
}

/** The part of a Kubernetes container that is checked here; schemas check the rest. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
      readonly secretKeyRef?: { readonly name: string; readonly key: string };
    };
  }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext?: unknown;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** The part of a Kubernetes pod that is checked here. */
export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: unknown;
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly secret?: unknown }[];
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: Selector }[];
}

/** One probe of a container. */
export interface Probe {
  readonly grpc?: { readonly port: number };
  readonly periodSeconds?: number;
}

/** Labels that something must bear. */
export interface Selector {
  readonly matchLabels?: Labels;
}

/** Labels of a Kubernetes object. */
export type Labels = Readonly<Record<string, string>>;

/** Who may send, or be sent to, in a network policy. */
export interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly { readonly port: number; readonly protocol?: string }[];
}

/** Pods, namespaces, or pods of namespaces. */
export interface PolicyPeer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
}

/** A Kubernetes object of any kind, as far as it is checked here. */
export interface Manifest {
  /** The file that it stands in. */
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly clusterIP?: string;
    readonly replicas?: number;
    readonly selector?: Selector & Labels;
    readonly ports?: readonly {
      readonly name: string;
      readonly port: number;
      readonly targetPort: string;
    }[];
    readonly template?: {
      readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
      readonly spec: PodSpec;
    };
    readonly scaleTargetRef?: {
      readonly apiVersion: string;
      readonly kind: string;
      readonly name: string;
    };
    readonly minReplicas?: number;
    readonly maxReplicas?: number;
    readonly metrics?: readonly {
      readonly resource: {
        readonly name: string;
        readonly target: { readonly averageUtilization: number };
      };
    }[];
    readonly behavior?: { readonly scaleDown?: { readonly stabilizationWindowSeconds: number } };
    readonly maxUnavailable?: number;
    readonly podSelector?: Selector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly PolicyRule[];
    readonly egress?: readonly PolicyRule[];
  };
}

/** The folder of the Kubernetes manifests. */
export const BASE = "deploy/kubernetes/base";

/** What kustomize is told. */
export interface Kustomization {
  readonly namespace: string;
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string; readonly newTag: string }[];
}

/** Reads the kustomization of the manifests. */
export function readKustomization(): Kustomization {
  return parse(readText(`${BASE}/kustomization.yaml`).text) as Kustomization;
}

/** Reads every Kubernetes object that lies in the folder; throws when a file is no YAML. */
export function readManifests(): readonly Manifest[] {
  return allPaths()
    .filter((path) => path.startsWith(`${BASE}/`) && !path.endsWith("/kustomization.yaml"))
    .flatMap((file) => readDocuments(file).map((manifest) => ({ ...manifest, file })));
}

/** The environment of a container: its own variables and those of the ConfigMaps that it names. */
export function environmentOf(
  container: Container,
  manifests: readonly Manifest[],
): ReadonlyMap<string, string | undefined> {
  const shared = (container.envFrom ?? []).flatMap(({ configMapRef }) => {
    const map = manifests.find(
      (one) => one.kind === "ConfigMap" && one.metadata.name === configMapRef.name,
    );
    if (map === undefined) throw new Error(`no ConfigMap ${configMapRef.name}`);
    return Object.entries(map.data ?? {});
  });
  const own = (container.env ?? []).map(({ name, value }) => [name, value] as const);
  return new Map<string, string | undefined>([...shared, ...own]);
}

/** True when labels satisfy a selector. */
export function selects(selector: Labels | undefined, labels: Labels | undefined): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}

function readDocuments(file: string): readonly Manifest[] {
  return parseAllDocuments(readText(file).text).map((document) => {
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) throw new Error(`${file}: ${error.message}`);
    return document.toJS() as Manifest;
  });
}
