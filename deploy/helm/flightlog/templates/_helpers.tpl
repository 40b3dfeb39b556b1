{{- define "flightlog.selector" -}}
app.kubernetes.io/name: flightlog
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "flightlog.labels" -}}
{{ include "flightlog.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "flightlog.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* What every pod is: nobody's user, no rights, nothing to write to but its volumes. */}}
{{- define "flightlog.pod" -}}
serviceAccountName: {{ .Release.Name }}-flightlog
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "flightlog.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
ports:
  - {name: http, containerPort: 9464}
{{/* Ready: it serves and has folded the log. Alive: whatever the bus does; to restart
for a bus that is away would help nobody. */ -}}
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 8
  failureThreshold: 3
{{- end }}

{{/* Volumes and mounts of the configuration and of the secret of the bus. */}}
{{- define "flightlog.mounts" -}}
- {name: config, mountPath: /etc/flightlog/config.yaml, subPath: config.yaml, readOnly: true}
{{- if .secret }}
- {name: nats, mountPath: /etc/flightlog/nats, readOnly: true}
{{- end }}
{{- end }}

{{- define "flightlog.volumes" -}}
- name: config
  configMap: {name: {{ .root.Release.Name }}-flightlog}
{{- with .secret }}
- name: nats
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
