"""What parking costs and why: dated rules, kinds of days, prices line by line. All pure."""
