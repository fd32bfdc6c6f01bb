{{/* Written by `node scripts/generate-chart.ts`: change scripts/chart-values.ts or app/runtime/settings.ts. */}}
{{- define "ipsec-policy-operator.manager-settings" -}}
- name: LOG_LEVEL
  value: {{ .Values.manager.settings.logLevel | quote }}
- name: HEALTH_HOST
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: HEALTH_PORT
  value: {{ .Values.manager.settings.healthPort | quote }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: LEASE_SECONDS
  value: {{ .Values.manager.settings.leaseSeconds | quote }}
- name: STAGE_WAIT_SECONDS
  value: {{ .Values.manager.settings.stageWaitSeconds | quote }}
- name: IKE_PROPOSAL
  value: {{ .Values.manager.settings.ikeProposal | quote }}
- name: ESP_PROPOSAL
  value: {{ .Values.manager.settings.espProposal | quote }}
- name: IKE_REAUTH_SECONDS
  value: {{ .Values.manager.settings.ikeReauthSeconds | quote }}
- name: IKE_REKEY_SECONDS
  value: {{ .Values.manager.settings.ikeRekeySeconds | quote }}
- name: CHILD_REKEY_SECONDS
  value: {{ .Values.manager.settings.childRekeySeconds | quote }}
- name: DPD_SECONDS
  value: {{ .Values.manager.settings.dpdSeconds | quote }}
- name: CA_ID
  value: {{ .Values.manager.settings.caId | quote }}
- name: GUARD_MODE
  value: {{ .Values.manager.settings.guardMode | quote }}
{{- end }}

{{/* Written by `node scripts/generate-chart.ts`: change scripts/chart-values.ts or app/runtime/settings.ts. */}}
{{- define "ipsec-policy-operator.agent-settings" -}}
- name: LOG_LEVEL
  value: {{ .Values.agent.settings.logLevel | quote }}
- name: HEALTH_HOST
  value: {{ .Values.agent.settings.healthHost | quote }}
- name: HEALTH_PORT
  value: {{ .Values.agent.settings.healthPort | quote }}
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
- name: VICI_SOCKET
  value: {{ printf "/host/run/%s" (base .Values.agent.settings.viciSocket) | quote }}
- name: CONF_FILE
  value: {{ .Values.agent.settings.confFile | quote }}
- name: LOCAL_INTERFACES
  value: {{ .Values.agent.settings.localInterfaces | quote }}
- name: VERIFY_SECONDS
  value: {{ .Values.agent.settings.verifySeconds | quote }}
{{- end }}
