{{/* Names of ours are fixed: release, chart and namespace have one name for good, and cluster-wide objects need one anyway. */}}

{{- define "ipsec-policy-operator.labels" -}}
{{ include "ipsec-policy-operator.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ipsec-policy-operator
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "ipsec-policy-operator.selector" -}}
app.kubernetes.io/name: ipsec-policy-operator
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Of pods: on which cores the platform lets them run, beside the labels of all objects. */}}
{{- define "ipsec-policy-operator.pod-labels" -}}
{{ include "ipsec-policy-operator.labels" . }}
app.starlingx.io/component: {{ index .root.Values "app.starlingx.io/component" }}
{{- end }}

{{- define "ipsec-policy-operator.image" -}}
image: {{ printf "%s:%s" .repository .tag | quote }}
# A version is never pushed again with other content, and an air-gapped host has it already.
imagePullPolicy: IfNotPresent
{{- end }}

{{/* What manager and withdraw have in common: on a controller, also on one that is being drained or not ready yet. */}}
{{- define "ipsec-policy-operator.on-controllers" -}}
nodeSelector:
  kubernetes.io/os: linux
  node-role.kubernetes.io/control-plane: ""
tolerations:
  - key: node-role.kubernetes.io/control-plane
    operator: Exists
    effect: NoSchedule
  # Moved soon when its controller fails: another one takes over within the Lease's time.
  - key: node.kubernetes.io/not-ready
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 30
  - key: node.kubernetes.io/unreachable
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 30
{{- end }}

{{/* Speaks to the API alone: no privilege at all. */}}
{{- define "ipsec-policy-operator.unprivileged-pod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "ipsec-policy-operator.unprivileged-container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The kubelet asks where the agent listens; without a host it asks the pod's address, which is the host's. */}}
{{- define "ipsec-policy-operator.agent-probe-host" -}}
{{- $host := .Values.agent.settings.healthHost }}
{{- if not (has $host (list "0.0.0.0" "::")) -}}
host: {{ $host | quote }}
{{- end }}
{{- end }}
