def run(report, gateway, machine): pass
