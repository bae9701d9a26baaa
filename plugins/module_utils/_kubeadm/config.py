# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model of a cluster to the documents that kubeadm reads. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

KUBEADM_API = "kubeadm.k8s.io/v1beta4"
PKI = "/etc/kubernetes/pki"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
RESOLV_CONF = "/etc/kubernetes/resolv.conf"
#: What the API server reads beside its certificates; one mount, read-only, so that a new file there needs no new mount.
SETTINGS = "/etc/kubernetes/ironrack"
AUDIT = "/var/log/kubernetes/audit"
#: A container that forks without end stops there, and not at the host's own limit. A model server with hundreds of threads stays far below.
POD_PIDS_LIMIT = 16384
# kubeadm's defaults (1 and 4 minutes) failed on busy machines; these only bound a wait, they do not slow it down.
TIMEOUTS = {"kubernetesAPICall": "5m0s", "kubeletHealthCheck": "10m0s", "controlPlaneComponentHealthCheck": "10m0s"}
# An API server that is told to stop says so at /readyz and goes on serving for this long. A balancer that asks each 0.5 s and believes the
# second no has then sent its clients elsewhere before the port is closed.
GOODBYE = "5s"

_KUBELET_LABELS = frozenset((
    "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region", "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type",
    "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"))


def label_problems(labels):
    """:returns: sentences about labels that a kubelet may not put on its own Node: with one of them it does not start."""
    problems = []
    for key in sorted(labels):
        domain = key.split("/")[0] if "/" in key else ""
        reserved = any(domain == name or domain.endswith("." + name) for name in ("kubernetes.io", "k8s.io"))
        allowed = any(domain == name or domain.endswith("." + name) for name in ("kubelet.kubernetes.io", "node.kubernetes.io"))
        if reserved and not allowed and key not in _KUBELET_LABELS:
            problems.append("a kubelet may not set the label %s on its own Node; use a key of your own domain, or node.kubernetes.io/..." % key)
    return problems


def merged(base, extra):
    """:returns: ``base`` with ``extra`` over it, dicts merged at every depth, everything else replaced."""
    result = dict(base)
    for key, value in (extra or {}).items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def extra_args(*groups):
    """:returns: v1beta4's list of name and value; a list as a value repeats the flag, a later group replaces a name of an earlier one."""
    together = {}
    for group in groups:
        together.update({str(name).lstrip("-"): value for name, value in (group or {}).items()})
    return [{"name": name, "value": text(value)}
            for name in sorted(together)
            for value in (together[name] if isinstance(together[name], list) else [together[name]])]


def text(value):
    """:returns: a value as a flag wants it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def gates(feature_gates):
    """:returns: the flag feature-gates, or nothing where there are none."""
    return {"feature-gates": ",".join("%s=%s" % (name, text(on)) for name, on in sorted(feature_gates.items()))} if feature_gates else {}


def tls(cluster):
    """:returns: the flags of what a component's server side speaks. Suites are those of TLS 1.2: with 1.3 as the oldest there are none to name."""
    security = cluster["security"]
    flags = {"tls-min-version": security["tls_min_version"]}
    if security["tls_min_version"] == "VersionTLS12":
        flags["tls-cipher-suites"] = ",".join(security["tls_cipher_suites"])
    return flags


def apiserver_flags(own):
    """:returns: the API server's flags that make it secure, apart from TLS.

    :param own: the site's flags; one that says who gets in by other means than certificates and tokens takes our say about anonymous requests away,
        since the API server refuses both together.
    """
    flags = {
        "profiling": "false",
        "kubelet-certificate-authority": PKI + "/ca.crt",
        "shutdown-delay-duration": GOODBYE,
        "enable-admission-plugins": "NodeRestriction,EventRateLimit,DenyServiceExternalIPs",
        "admission-control-config-file": SETTINGS + "/admission.yaml",
        "audit-policy-file": SETTINGS + "/audit-policy.yaml",
        "audit-log-path": AUDIT + "/audit.log",
        "audit-log-maxage": "30", "audit-log-maxbackup": "10", "audit-log-maxsize": "100",
        # A pod's token ends after the hour that it says, not after a year: every client of this decade reads the new one.
        "service-account-extend-token-expiration": "false",
    }
    if not any(name == "anonymous-auth" or name.startswith("oidc-") for name in own):
        flags["authentication-config"] = SETTINGS + "/authentication.yaml"
    return flags


def node_registration(host, ignore_preflight_errors):
    """:returns: the part that init and join share."""
    labels = host["labels"]
    problems = label_problems(labels)
    if problems:
        raise ValueError("%s: %s" % (host["name"], "; ".join(problems)))
    arguments = {"node-ip": host["address"]}
    if labels:
        arguments["node-labels"] = ",".join("%s=%s" % item for item in sorted(labels.items()))
    ignored = list(ignore_preflight_errors)
    if not host["is_control_plane"]:
        # The PKI has put the CA in place already; kubeadm join keeps a file that it finds there.
        ignored.append("FileAvailable--etc-kubernetes-pki-ca.crt")
    # hostname-override is left to kubeadm: it sets the flag where the name differs from the host's own.
    return {"name": host["node_name"], "criSocket": CRI_SOCKET, "imagePullPolicy": "IfNotPresent", "taints": list(host["taints"]),
            "kubeletExtraArgs": extra_args(arguments), "ignorePreflightErrors": sorted(set(ignored))}


def encryption_args(cluster):
    """:returns: the flags with which an API server encrypts what it stores, and reads a rotated key without a restart."""
    if not cluster["encryption"]["enabled"]:
        return {}
    return {"encryption-provider-config": cluster["encryption"]["path"], "encryption-provider-config-automatic-reload": "true"}


def cluster_configuration(cluster):
    """:returns: ClusterConfiguration, the same on every control plane."""
    args, network = cluster["args"], cluster["network"]
    feature_gates = gates(args["feature_gates"])
    quiet = dict(tls(cluster), profiling="false")
    dns_tag = next(image["tag"] for image in cluster["release"]["images"] if image["name"].endswith("coredns/coredns"))
    return {
        "apiVersion": KUBEADM_API, "kind": "ClusterConfiguration",
        "clusterName": cluster["name"],
        "kubernetesVersion": "v%s" % cluster["kubernetes_version"],
        "controlPlaneEndpoint": cluster["endpoint"]["address"],
        "certificatesDir": PKI,
        "etcd": {"external": {"endpoints": list(cluster["etcd"]["apiserver_endpoints"]), "caFile": PKI + "/etcd/ca.crt",
                              "certFile": PKI + "/apiserver-etcd-client.crt", "keyFile": PKI + "/apiserver-etcd-client.key"}},
        "networking": {"podSubnet": network["pod_cidr"], "serviceSubnet": network["service_cidr"], "dnsDomain": cluster["domain"]},
        "dns": {"imageTag": dns_tag},
        "apiServer": {"certSANs": list(cluster["apiserver_sans"]),
                      "extraArgs": extra_args(tls(cluster), apiserver_flags(args["apiserver"]), encryption_args(cluster), feature_gates,
                                              args["apiserver"]),
                      "extraVolumes": [
                          {"name": "ironrack", "hostPath": SETTINGS, "mountPath": SETTINGS, "readOnly": True, "pathType": "Directory"},
                          {"name": "audit", "hostPath": AUDIT, "mountPath": AUDIT, "readOnly": False, "pathType": "Directory"}]},
        # Pods' clients may be built on OpenSSL, which trusts nothing below an intermediate whose root it does not know.
        "controllerManager": {"extraArgs": extra_args(quiet, {"root-ca-file": PKI + "/ca-chain.crt", "terminated-pod-gc-threshold": "1000"},
                                                      feature_gates, args["controller_manager"])},
        "scheduler": {"extraArgs": extra_args(quiet, feature_gates, args["scheduler"])},
    }


def kubelet_configuration(cluster, resolv_conf):
    """:returns: KubeletConfiguration; kubeadm hands it to every node of the cluster."""
    base = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "serverTLSBootstrap": True,
        "rotateCertificates": True,
        "tlsMinVersion": cluster["security"]["tls_min_version"],
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "readOnlyPort": 0,
        "streamingConnectionIdleTimeout": "4h0m0s",
        "podPidsLimit": POD_PIDS_LIMIT,
        "clusterDNS": [cluster["network"]["dns_ip"]],
        "clusterDomain": cluster["domain"],
    }
    if cluster["security"]["tls_min_version"] == "VersionTLS12":
        base["tlsCipherSuites"] = list(cluster["security"]["tls_cipher_suites"])
    if cluster["args"]["feature_gates"]:
        base["featureGates"] = dict(cluster["args"]["feature_gates"])
    path = resolv_conf or (RESOLV_CONF if cluster["dns_servers"] else "")
    if path:
        base["resolvConf"] = path
    return merged(base, cluster["args"]["kubelet"])


def proxy_configuration(cluster, extra):
    """:returns: KubeProxyConfiguration."""
    base = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables"}
    if cluster["args"]["feature_gates"]:
        base["featureGates"] = dict(cluster["args"]["feature_gates"])
    return merged(base, extra)


def taint_text(taint):
    """:returns: a taint as the kubelet's flag wants it."""
    value = "=%s" % taint["value"] if taint.get("value") else ""
    return "%s%s:%s" % (taint["key"], value, taint["effect"])


def worker_documents(cluster, host, registration, resolv_conf):
    """:returns: what a built worker's kubelet is rendered from: kubeadm renders it by phases of init only.

    `kubeadm join` gives a worker's taints to the kubelet, and init never does, so they are named as the flag that join makes of them.
    """
    registration = dict(registration)
    if host["taints"]:
        flag = {"name": "register-with-taints", "value": ",".join(taint_text(taint) for taint in host["taints"])}
        registration["kubeletExtraArgs"] = registration["kubeletExtraArgs"] + [flag]
    return [
        # Without an address kubeadm would look for the interface of a default route, which an air-gapped host need not have.
        {"apiVersion": KUBEADM_API, "kind": "InitConfiguration", "localAPIEndpoint": {"advertiseAddress": host["address"]},
         "nodeRegistration": registration},
        {"apiVersion": KUBEADM_API, "kind": "ClusterConfiguration", "kubernetesVersion": "v%s" % cluster["kubernetes_version"],
         "networking": {"serviceSubnet": cluster["network"]["service_cidr"], "dnsDomain": cluster["domain"]}},
        kubelet_configuration(cluster, resolv_conf)]


def documents(cluster, host, ignore_preflight_errors=(), kube_proxy_config=None, resolv_conf=""):
    """All documents for one host: what creates a cluster or renders a built node's files, and what joins one.

    Any control plane can be the one that creates the cluster, so each has the same documents apart from its own address.

    :param cluster: the model.
    :param host: the model's entry of the host.
    :param ignore_preflight_errors: names of kubeadm's checks.
    :param kube_proxy_config: fields over the KubeProxyConfiguration.
    :param resolv_conf: path of the resolv.conf that pods get; chosen by the model's DNS servers where empty.
    :returns: a list of dicts.
    :raises ValueError: on a setting that no kubelet would start with.
    """
    registration = node_registration(host, ignore_preflight_errors)
    join = {"apiVersion": KUBEADM_API, "kind": "JoinConfiguration", "nodeRegistration": registration, "timeouts": dict(TIMEOUTS)}
    if not host["is_control_plane"]:
        return worker_documents(cluster, host, registration, resolv_conf) + [join]
    port = next(server["port"] for server in cluster["api_servers"] if server["name"] == host["name"])
    own_endpoint = {"advertiseAddress": host["address"], "bindPort": port}
    join["controlPlane"] = {"localAPIEndpoint": dict(own_endpoint)}
    init = {
        "apiVersion": KUBEADM_API, "kind": "InitConfiguration",
        "localAPIEndpoint": own_endpoint,
        "nodeRegistration": registration,
        # kubeadm always makes a token; this one ends soon. Joins get one of their own.
        "bootstrapTokens": [{"ttl": "1h0m0s", "usages": ["signing", "authentication"],
                             "groups": ["system:bootstrappers:kubeadm:default-node-token"]}],
        "skipPhases": ["show-join-command"],
        "timeouts": dict(TIMEOUTS),
    }
    return [init, cluster_configuration(cluster), kubelet_configuration(cluster, resolv_conf),
            proxy_configuration(cluster, kube_proxy_config), join]


def without_authority(documents, folder):
    """Let kubeadm render the files of a worker with init's phases: a worker has the authority's certificate and not its key.

    kubeadm takes that for an authority that is kept elsewhere, and then asks for every certificate of a control plane.

    :param documents: as :func:`documents` makes them.
    :param folder: a folder that has no certificates, which kubeadm is told to look into instead.
    :returns: documents from which it renders the same files.
    """
    changed = []
    for document in documents:
        if document["kind"] == "ClusterConfiguration":
            document = dict(document, certificatesDir=folder)
        elif document["kind"] == "KubeletConfiguration":
            # kubeadm's default for it follows from certificatesDir.
            authentication = document.get("authentication", {})
            x509 = dict({"clientCAFile": PKI + "/ca.crt"}, **authentication.get("x509", {}))
            document = dict(document, authentication=dict(authentication, x509=x509))
        changed.append(document)
    return changed
