"""Public ids that a text or a reference may name: MITRE ATLAS and ATT&CK techniques, tactics.

Closed lists, since an id that may have any digits is a number that may say anything.

*Source*: MITRE ATLAS, data of 2025; of MITRE ATT&CK for Enterprise what concerns accounts, proxies,
credentials, collection and exfiltration.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ATLAS_NAMES", "ATTACK_IDS", "PHASES", "PUBLIC_IDS"]

_ATLAS: Final = """
AML.T0000 Search Open Technical Databases
AML.T0001 Search Open AI Vulnerability Analysis
AML.T0002 Acquire Public AI Artifacts
AML.T0003 Search Victim-Owned Websites
AML.T0005 Create Proxy AI Model
AML.T0005.000 Train Proxy via Gathered AI Artifacts
AML.T0005.001 Train Proxy via Replication
AML.T0005.002 Use Pre-Trained Model
AML.T0006 Active Scanning
AML.T0008 Acquire Infrastructure
AML.T0008.005 AI Service Proxies
AML.T0010 AI Supply Chain Compromise
AML.T0012 Valid Accounts
AML.T0015 Evade AI Model
AML.T0016 Obtain Capabilities
AML.T0017 Develop Capabilities
AML.T0021 Establish Accounts
AML.T0024 Exfiltration via AI Inference API
AML.T0024.000 Infer Training Data Membership
AML.T0024.001 Invert AI Model
AML.T0024.002 Extract AI Model
AML.T0025 Exfiltration via Cyber Means
AML.T0029 Denial of AI Service
AML.T0031 Erode AI Model Integrity
AML.T0034 Cost Harvesting
AML.T0035 AI Artifact Collection
AML.T0036 Data from Information Repositories
AML.T0037 Data from Local System
AML.T0040 AI Model Inference API Access
AML.T0042 Verify Attack
AML.T0043 Craft Adversarial Data
AML.T0044 Full AI Model Access
AML.T0046 Spamming AI System with Chaff Data
AML.T0047 AI-Enabled Product or Service
AML.T0048 External Harms
AML.T0048.004 AI Intellectual Property Theft
AML.T0049 Exploit Public-Facing Application
AML.T0050 Command and Scripting Interpreter
AML.T0051 LLM Prompt Injection
AML.T0051.000 Direct
AML.T0051.001 Indirect
AML.T0053 LLM Plugin Compromise
AML.T0054 LLM Jailbreak
AML.T0055 Unsecured Credentials
AML.T0056 Extract LLM System Prompt
AML.T0057 LLM Data Leakage
AML.T0061 LLM Prompt Self-Replication
AML.T0063 Discover AI Model Outputs
AML.T0065 LLM Prompt Crafting
AML.T0066 Retrieval Content Crafting
AML.T0067 LLM Trusted Output Components Manipulation
AML.T0068 LLM Prompt Obfuscation
AML.T0069 Discover LLM System Information
"""
ATLAS_NAMES: Final = dict(line.split(" ", 1) for line in _ATLAS.strip().splitlines())
_ATTACK: Final = """
T1020 T1020.001 T1027 T1029 T1030 T1036 T1036.005 T1041 T1048 T1059 T1059.006 T1059.007 T1070 T1071
T1071.001 T1078 T1078.001 T1078.004 T1090 T1090.001 T1090.002 T1090.003 T1090.004 T1102 T1110
T1110.001 T1110.003 T1110.004 T1119 T1132 T1132.001 T1133 T1190 T1199 T1213 T1496 T1526 T1528 T1530
T1539 T1550 T1550.001 T1550.004 T1552 T1552.001 T1555 T1557 T1566 T1567 T1568 T1571 T1572 T1573
T1583 T1583.001 T1583.003 T1583.004 T1583.005 T1583.006 T1584 T1584.005 T1585 T1585.001 T1585.002
T1586 T1586.002 T1586.003 T1587 T1588 T1588.002 T1589 T1589.001 T1590 T1592 T1593 T1595 T1606 T1621
"""
ATTACK_IDS: Final = frozenset(_ATTACK.split())
PUBLIC_IDS: Final = frozenset({*ATLAS_NAMES, *ATTACK_IDS})
_TACTICS: Final = (
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence",
    "privilege-escalation", "defense-evasion", "credential-access", "discovery",
    "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
)  # fmt: skip
# Kill chain → its phases
PHASES: Final = {
    "mitre-atlas": (*_TACTICS, "ai-model-access", "ml-model-access", "ai-attack-staging",
                    "ml-attack-staging"),
    "mitre-attack": _TACTICS,
    "lockheed-martin-cyber-kill-chain": (
        "reconnaissance", "weaponization", "delivery", "exploitation", "installation",
        "command-and-control", "actions-on-objectives",
    ),
}  # fmt: skip
